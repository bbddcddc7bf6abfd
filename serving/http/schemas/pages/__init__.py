"""Placements and composed pages on the wire."""
