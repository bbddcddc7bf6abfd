"""The published ranker in PyTorch, from the constants of its own graphs."""
