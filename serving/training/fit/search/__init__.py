"""Fits what search is made of: the relevance model and the map behind the multilingual encoder."""
