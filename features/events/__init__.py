"""What shoppers did: the event, its durable log, and what became of rankings."""
