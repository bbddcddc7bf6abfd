"""Learns the joint space of words and pictures on a shop's own items."""
