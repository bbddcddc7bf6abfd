"""A tiny shop with a history, for the ranker's tests."""

import numpy as np
import pandas as pd

from features.catalog.counters import DAY_S
from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetInfo

START_S = 1_700_000_000.0
KINDS = ("tea", "coffee", "milk", "bread", "soap", "lamp")


def tiny_shop(seed: int = 0, n_items: int = 60, n_shoppers: int = 25, days: int = 200) -> Dataset:
    """Shoppers who each love two of six kinds and buy a basket every week or so."""
    rng = np.random.default_rng(seed)
    items = pd.DataFrame(
        {
            "item_id": [f"i{row:03d}" for row in range(n_items)],
            "title": [f"{KINDS[row % len(KINDS)]} number {row}" for row in range(n_items)],
            "category": [f"Shop > {KINDS[row % len(KINDS)]}" for row in range(n_items)],
            "price": rng.uniform(1, 20, n_items).round(2),
        }
    )
    lines: list[tuple[float, str, str, str]] = []
    for shopper in range(n_shoppers):
        loved = rng.choice(len(KINDS), 2, replace=False)
        pool = [row for row in range(n_items) if row % len(KINDS) in loved]
        at_s = START_S + rng.uniform(0, 7) * DAY_S
        while at_s < START_S + days * DAY_S:
            for row in rng.choice(pool, int(rng.integers(2, 6)), replace=False).tolist():
                lines.append((at_s, f"u{shopper:02d}", f"s{len(lines)}-{shopper}", f"i{row:03d}"))
            at_s += rng.uniform(4, 10) * DAY_S
    events = pd.DataFrame(sorted(lines), columns=["at", "user_id", "session_id", "item_id"])
    events["session_id"] = events["user_id"] + "@" + events["at"].astype(str)
    events["event_id"] = [f"e{row}" for row in range(len(events))]
    events["type"] = "purchase"
    events["value"] = 2.0
    return Dataset(
        DatasetInfo(name="tiny"), conform(items, ITEM_COLUMNS), conform(events, EVENT_COLUMNS)
    )
