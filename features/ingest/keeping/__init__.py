"""What ingest keeps beside the online store: snapshots, archive, bounds, and erasing in them."""
