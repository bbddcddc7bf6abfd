"""What is written on pictures: read by a process of its own, kept beside their vectors."""
