"""What runs on a cluster beside the serving graph: set-up, waiting for it, training."""
