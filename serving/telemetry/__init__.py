"""What is measured of a request, told three ways: span, metric, Server-Timing."""
