"""From a request to a slate: the whole path, and what each of its stages does."""
