"""What the model server runs: copied into each published version. The serving graph imports none."""
