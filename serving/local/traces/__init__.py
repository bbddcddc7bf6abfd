"""A page and a console for traces, without a collector."""
