"""What ingest keeps beside the online store: snapshots, the archive, the bounds, and erasing there."""
