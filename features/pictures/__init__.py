"""Pictures of items: what waits to be looked at, what came of it, and the vectors."""
