"""Texts to terms, and what words find: analysis, vocabulary, terms by item, lexical index."""
