"""The endpoints: each authenticates, maps the wire to values once, calls one thing and answers."""
