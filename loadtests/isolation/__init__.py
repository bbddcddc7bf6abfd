"""Two shops of one installation learn nothing of each other and change nothing of each other."""
