"""Amounts as Kubernetes writes them."""

import re
from typing import Any

_UNITS = {"m": 1e-3, "k": 1e3, "Ki": 2**10, "M": 1e6, "Mi": 2**20, "G": 1e9, "Gi": 2**30}


def amount(quantity: object) -> float:
    """In cores or bytes; raises ValueError."""
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(quantity))
    if found is None or found[2] not in {"", *_UNITS}:
        raise ValueError(f"{quantity} is no quantity")
    return float(found[1]) * _UNITS.get(found[2], 1.0)


def requests(pod: dict[str, Any]) -> dict[str, float]:
    """What the scheduler counts of a pod: all containers, or the largest of those that run first.

    In cores ("cpu") and bytes ("memory").
    """
    needs = {}
    for name in ("cpu", "memory"):
        asked, first = (
            [amount(each["resources"].get("requests", {}).get(name, 0)) for each in containers]
            for containers in (pod["spec"]["containers"], pod["spec"].get("initContainers", []))
        )
        needs[name] = max(sum(asked), *first, 0.0)
    return needs
