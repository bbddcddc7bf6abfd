"""A shop's answers: kept with its controls, followed by every replica."""
