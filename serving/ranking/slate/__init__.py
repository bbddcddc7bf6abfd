"""Scores to an ordered slate, within the relevance guarantee, and what can be said of one."""
