"""Trains the model of a shop's answers on judged pairs and on feedback."""
