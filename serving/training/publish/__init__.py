"""From a bundle to a version that is served, and back; without torch."""
