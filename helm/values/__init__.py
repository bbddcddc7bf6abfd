"""What values.yaml may hold: models, the schema of them and the table of them."""
