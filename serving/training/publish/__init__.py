"""Publishes bundles as versions that the model server loads, and rolls back; without torch."""
