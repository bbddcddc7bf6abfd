"""Proofs of what shoppers may ask for, on the real stack."""
