"""Which variant of the experience a request gets: chosen before it is scored."""
