"""A tenfold burst, simulated with Ray Serve's own decisions: docs/autoscaling.md."""
