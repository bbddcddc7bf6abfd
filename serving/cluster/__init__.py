"""What runs on a cluster beside the serving graph: set-up, training, a node's goodbye, removal."""
