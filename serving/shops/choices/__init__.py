"""What shoppers chose about being known, on one replica."""
