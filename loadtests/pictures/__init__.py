"""Proofs of what pictures promise, on real ones (docs/pictures.md)."""
