"""Off-policy evaluation: what a ranking policy would have earned, from another one's log."""
