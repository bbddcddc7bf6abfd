"""Scores by the model: of the version that a request's arm names, and of one that nobody sees."""
