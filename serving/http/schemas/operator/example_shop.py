"""The worked examples of a shop and of its keys."""

from typing import Any

DEFINED: dict[str, Any] = {
    "title": "Meadow Outlet", "language": "en", "prices": {"currency": "EUR", "rates": {}},
    "rules": {"diversity": {"max_same": 2}}, "weight": 2.0, "rate_per_s": 300,
}  # fmt: skip
KEY: dict[str, Any] = {"scopes": ["events", "rank"], "rate_per_s": 200}
_KEY: dict[str, Any] = {**KEY, "max_boost": 0.0, "publishable": None}
SHOP: dict[str, Any] = {
    "name": "outlet", "status": "active", "since_ms": 1_795_996_800_000, "open": True,
    "catalog_items": 2_000, "definition": {**DEFINED, "paused": False},
    "keys": [{"name": "storefront", **_KEY}],
}  # fmt: skip
DEFAULT: dict[str, Any] = {
    "name": "default", "status": "active", "since_ms": None, "open": True,
    "catalog_items": 10_000, "definition": None, "keys": [],
}  # fmt: skip
MADE: dict[str, Any] = {
    "shop": "outlet", "name": "storefront", **_KEY,
    "key": "s3XhUQkZ0o8xv0yN1l5bqVdRj2mT7wCf4aGeHtKiLpE",
}  # fmt: skip
