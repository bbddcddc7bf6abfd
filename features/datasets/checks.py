"""What makes a data set unusable although its columns are right: ValueError says it in a line."""

import numpy as np
import pandas as pd

from features.events.event import OF_ANSWERS, EventType

_WITHOUT_ITEM = [str(kind) for kind in (EventType.SEARCH, EventType.SIGN_IN, *sorted(OF_ANSWERS))]


def check_items(items: pd.DataFrame) -> None:
    """Raises ValueError for no items, an id twice or none, a price that cannot be."""
    if items.empty:
        raise ValueError("no items")
    if (items["item_id"] == "").any():
        row = int((items["item_id"] == "").to_numpy().argmax()) + 1
        raise ValueError(f"row {row} has no item_id")
    if items["item_id"].duplicated().any():
        twice = items["item_id"][items["item_id"].duplicated()].iloc[0]
        raise ValueError(f"item_id {twice!r} stands twice")
    if (items["price"] < 0).any() or np.isinf(items["price"]).any():
        raise ValueError("column 'price' holds a negative or infinite number")


def check_events(events: pd.DataFrame) -> None:
    """Raises ValueError for an unknown type, no time, no item where one belongs, an id twice."""
    unknown = set(events["type"].unique()) - {str(kind) for kind in EventType}
    if unknown:
        raise ValueError(f"unknown type {sorted(unknown)[0]!r}")
    if not np.isfinite(events["at"]).all():
        row = int((~np.isfinite(events["at"])).to_numpy().argmax()) + 1
        raise ValueError(f"row {row} has no time in 'at'")
    without_item = (events["item_id"] == "") & ~events["type"].isin(_WITHOUT_ITEM)
    if without_item.any():
        row = int(without_item.to_numpy().argmax()) + 1
        raise ValueError(f"row {row} names no item_id and is no search")
    if events["event_id"].duplicated().any():
        twice = events["event_id"][events["event_id"].duplicated()].iloc[0]
        raise ValueError(f"event_id {twice!r} stands twice")
