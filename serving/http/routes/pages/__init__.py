"""Endpoints of placements and of the pages composed of them."""
