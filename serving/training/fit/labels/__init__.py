"""Trains a classifier: a head on the general encoder, which all tasks share and none tunes."""
