"""What a version tells of itself: what its scores follow from, and how much."""
