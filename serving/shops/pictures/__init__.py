"""A shop's pictures on a replica: taken, told of, searched with."""
