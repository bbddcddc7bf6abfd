"""A shop whose shoppers are known: for what only a simulation can tell."""
