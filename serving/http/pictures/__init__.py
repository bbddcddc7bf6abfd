"""Pictures on the wire."""
