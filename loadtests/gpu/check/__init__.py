"""What is carried along and runs there: PyTorch, NumPy and what is packed beside it, no more."""
