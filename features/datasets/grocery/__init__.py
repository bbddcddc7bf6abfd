"""The demonstration's grocery shop: real baskets under texts of our own."""
