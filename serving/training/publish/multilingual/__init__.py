"""The multilingual encoder: a published sentence encoder, and the map that we add to it."""
