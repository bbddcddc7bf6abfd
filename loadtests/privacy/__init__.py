"""What served rankings tell about people to whoever may ask for them."""
