"""The clicks of the simulated shoppers as the log of a shop, and the slates they meet next."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.arrays import BoolArray
from features.catalog.counters import DAY_S
from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetInfo, checked
from loadtests.pictures.shoppers import Items, Visits
from serving.training.data.cases import Case

_BEGAN_S = 1_700_000_000.0
_EVERY_DAYS = 7  # a visit
_CANDIDATES = 100
_SEED = 11


@dataclass(frozen=True, slots=True)
class Log:
    """dataset: items by row, and clicks, of which a visit's last is a purchase; now_s: a day after
    the new items came, when the next visit begins."""

    dataset: Dataset
    now_s: float

    def cases(self, after: Visits, shown: BoolArray) -> list[Case]:
        """Of each shopper what is clicked next, among others drawn of what is shown, (n_items,)."""
        rng = np.random.default_rng(_SEED)
        open_rows, end = np.flatnonzero(shown), len(self.dataset.events)
        cases = []
        for shopper, clicked in zip(after.shopper.tolist(), after.items, strict=True):
            wanted = np.unique(clicked)
            n_others = _CANDIDATES - len(wanted)
            others = rng.choice(np.setdiff1d(open_rows, wanted), n_others, replace=False)
            labels = np.repeat([1, 0], [len(wanted), n_others]).astype(np.float32)
            rows = np.concatenate([wanted, others])
            ones = np.ones(_CANDIDATES, np.float32)
            cases.append(
                Case(end, self.now_s, str(shopper), rows=rows, labels=labels, weights=ones)
            )
        return cases


def log_of(names: list[str], items: Items, before: Visits) -> Log:
    """The usual visits, one a week; the new items come a day before the next one."""
    n_visits, n_clicks = before.items.shape
    visits = n_visits // (int(before.shopper.max()) + 1)
    rng = np.random.default_rng(_SEED)
    begin = np.arange(n_visits) % visits + rng.random(n_visits)
    seconds = _BEGAN_S + _EVERY_DAYS * DAY_S * begin[:, None] + 60 * np.arange(n_clicks)
    events = pd.DataFrame(
        {
            "type": ([*["click"] * (n_clicks - 1), "purchase"]) * n_visits,
            "at": seconds.ravel(),
            "user_id": np.repeat(before.shopper, n_clicks).astype(str),
            "item_id": before.items.ravel().astype(str),
        }
    )
    now_s = _BEGAN_S + (_EVERY_DAYS * visits + 1) * DAY_S
    created = np.where(items.new, now_s - DAY_S, _BEGAN_S - 100 * DAY_S)
    rows = pd.DataFrame(
        {"item_id": np.arange(len(names)).astype(str), "title": names, "created_at": created}
    )
    info = DatasetInfo(name="renderings", simulated=True)
    tables = conform(rows, ITEM_COLUMNS), conform(events, EVENT_COLUMNS)
    return Log(checked(info, *tables, None, Path("renderings")), now_s)
