"""What the operator of an installation with several shops says and is told, on the wire."""
