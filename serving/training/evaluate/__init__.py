"""Measures bundles against baselines on data that they were not trained on."""
