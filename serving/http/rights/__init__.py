"""What shoppers may ask for and decide: preferences, their data, what became of an erasure."""
