"""From events to what is known: the fold, its rows, and the ranker's columns made of them."""
