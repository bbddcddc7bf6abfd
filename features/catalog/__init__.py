"""What the shop sells: items, the catalogue as columns, its durable store."""
