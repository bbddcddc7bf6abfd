"""What the operator of an installation asks for."""
