"""What is wrong with a shop's data, worst first, before a model learns it."""
