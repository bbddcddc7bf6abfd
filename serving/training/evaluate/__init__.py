"""A bundle against baselines, on what it was not trained on."""
