"""What is learnt for one shop and kept as documents: a command's part that is the same for all."""
