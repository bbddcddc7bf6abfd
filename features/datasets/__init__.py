"""The data folder format, and the importers that write it."""
