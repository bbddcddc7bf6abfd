"""The multilingual text encoder: a published sentence encoder's weights, and what we add to them."""
