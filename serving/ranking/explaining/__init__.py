"""Why an item stands where it stands: reasons in words, and what its score follows from."""
