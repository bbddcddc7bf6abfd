"""Proofs of the statistics of experiments: simulated shops, and other people's real logs."""
