"""Counts of a shop's categories, as far as they may be shared with shops of its group."""

from collections import Counter as Counts

import numpy as np
import pandas as pd

from features.catalog.category_tree import names_of
from features.catalog.counters import DEMAND, Counter
from features.catalog.item import CATEGORY_SEPARATOR
from features.controls.priors import Counted
from features.events.event import EventType

FLOOR = 20  # distinct shoppers: what fewer have touched says something of them
A_SHOPPER = 5.0  # of demand, at most, that one shopper gives a category: nobody is its whole count
WITHIN_S = 120 * 86_400.0
MAX_CATEGORIES = 1_000
_DEMAND = {
    EventType.VIEW.value: DEMAND[Counter.INTEREST],
    EventType.CLICK.value: DEMAND[Counter.INTEREST],
    EventType.ADD_TO_CART.value: DEMAND[Counter.CART],
    EventType.PURCHASE.value: DEMAND[Counter.PURCHASE],
}


def category_counts(
    items: pd.DataFrame, events: pd.DataFrame, now_s: float, floor: int = FLOOR
) -> Counted:
    """Demand and items of each category path, of any depth, that at least `floor` shoppers touched.

    items, events: as features.datasets has them. Shoppers are those with a user id: how many are
    behind sessions nobody knows. What one of them gives is bounded, what sessions give is not
    counted at all.
    """
    paths = {
        str(item_id): _paths(str(category or ""))
        for item_id, category in zip(items["item_id"], items["category"], strict=True)
    }
    recent = events[
        events["type"].isin(_DEMAND)
        & (events["at"] >= now_s - WITHIN_S)
        & (events["user_id"].fillna("") != "")
        & events["item_id"].isin(paths)
    ]
    told = pd.DataFrame(
        {
            "user": recent["user_id"].to_numpy(),
            "demand": recent["type"].map(_DEMAND).to_numpy(np.float64),
            "path": [paths[item_id] for item_id in recent["item_id"]],
        }
    ).explode("path")
    told = told.dropna(subset=["path"])
    by_shopper = told.groupby(["path", "user"], sort=False)["demand"].sum().clip(upper=A_SHOPPER)
    by_path = by_shopper.groupby(level="path").agg(["sum", "size"])
    shared = by_path[by_path["size"] >= floor].nlargest(MAX_CATEGORIES, "sum")
    n_items = Counts(path for each in paths.values() for path in each)
    return {
        str(path): (round(float(demand), 1), n_items[str(path)])
        for path, demand in shared["sum"].items()
    }


def _paths(category: str) -> list[str]:
    """A path and all above it, folded: however two shops write it, it is the same."""
    names = names_of(category)
    return [CATEGORY_SEPARATOR.join(names[:depth]) for depth in range(1, len(names) + 1)]
