"""Labels for texts: a shop's classifiers, and how often each label came (docs/classify.md)."""
