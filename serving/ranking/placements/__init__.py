"""What a placement makes of a request, and pages composed of several of them."""
