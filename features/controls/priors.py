"""What shops of a group share, by consent: how much the items of a category are wanted.

Each shop that shares has one document in the installation's controls, named by its space: counts of
categories, never anything of a shopper. A nightly job writes it (features/ingest/neighbor_job.py),
replicas read it. Whether it is shared is asked of the shops' definitions when it is read: a consent
that is taken back counts at once.
"""

from collections.abc import Mapping
from typing import Any

from features.controls.shops import Registered, ShopStatus

PRIORS = "priors"  # the kind of the documents
# What an item of a category that is wanted as much as the others counts for, in purchases: more
# than nothing, and soon less than what the shop itself has seen.
PURCHASES = 1.0
_LEAST, _MOST = 0.05, 5.0  # of a category, beside the mean of all

# By category path: (demand, items); demand in purchases, items that were there to be wanted.
Counted = Mapping[str, tuple[float, int]]


def group_of(shop: Registered) -> str | None:
    """The group that a shop shares with and gets from; None: it does neither."""
    if shop.status is ShopStatus.REMOVED or not shop.definition.get("shares_priors", False):
        return None
    group: str | None = shop.definition.get("group")
    return group


def document_of(counted: Counted, at_ms: int) -> dict[str, Any]:
    """JSON."""
    return {"at_ms": at_ms, "categories": {path: list(told) for path, told in counted.items()}}


def prior_of(
    shop: Registered,
    shops: Mapping[str, Registered],
    documents: Mapping[str, Mapping[str, Any]],
) -> dict[str, float]:
    """Purchases that an item of each category counts for in `shop` before it has any, from what the
    others of its group share; empty without any.

    documents: all of the kind PRIORS
    """
    group = group_of(shop)
    if group is None:
        return {}
    demand: dict[str, float] = {}
    items: dict[str, int] = {}
    for other in shops.values():
        if other.space == shop.space or group_of(other) != group:
            continue
        for path, (wanted, n_items) in documents.get(other.space, {}).get("categories", {}).items():
            demand[path] = demand.get(path, 0.0) + wanted
            items[path] = items.get(path, 0) + n_items
    per_item = {path: demand[path] / items[path] for path in demand if items[path]}
    if not per_item:
        return {}
    mean = sum(per_item.values()) / len(per_item)
    return {
        path: PURCHASES * min(max(each / mean, _LEAST), _MOST) for path, each in per_item.items()
    }
