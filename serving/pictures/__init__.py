"""Pictures of items: fetched or taken by API, decoded, and turned into vectors."""
