"""From behaviour events to features: the fold, the Feast repository, the data sets."""
