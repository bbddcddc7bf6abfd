"""What replicas are told while they run, and what they tell together: documents and tallies."""
