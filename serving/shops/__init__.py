"""What one shop is on a replica: its catalogue, indexes, rules and pseudonyms."""
