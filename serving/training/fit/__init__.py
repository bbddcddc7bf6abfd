"""Fits the tower, the head and the forest, and writes them as a bundle."""
