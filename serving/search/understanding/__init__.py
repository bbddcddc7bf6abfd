"""A sentence about what is wanted, as constraints: what it says and no more, each in its own "
"words."""
