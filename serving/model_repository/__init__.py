"""What the model server runs: copied into each published version, never imported by serving."""
