"""The embedded stack: everything on one machine, no root, no container, no GPU."""
