"""A data set's events, and its items, sent to a running shop over HTTP."""
