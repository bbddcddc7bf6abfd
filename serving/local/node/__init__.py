"""The Ray node of one machine, and what runs in it as Serve: no more than is asked there."""
