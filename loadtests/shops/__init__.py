"""What many shops of one installation cost: memory, processors while nobody asks, and latency."""
