"""What the model server runs, copied into each published version; serving imports none of it."""
