"""Fitting the tower, the head and the forest, and the bundle that they become."""
