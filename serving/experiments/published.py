"""Readings of experiments, where a job leaves them and every replica finds them."""

from collections.abc import Mapping
from typing import Any

from features.controls.store import Documents
from serving.shops.steering.policies import READINGS


def keep_reading(documents: Documents, key: str, reading: Mapping[str, Any]) -> None:
    """Instead of the one before. Raises StoreFullError."""
    documents.put(READINGS, key, reading)


def kept_readings(documents: Documents) -> dict[str, dict[str, Any]]:
    """The newest of each experiment that was ever read."""
    return documents.all(READINGS)
