"""What counts in a ranking and how much, in plain sentences: for shoppers, sellers and pages."""
