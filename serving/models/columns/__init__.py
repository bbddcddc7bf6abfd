"""The columns that a score follows from, as a person knows them."""
