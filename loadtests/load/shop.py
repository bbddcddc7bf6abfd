"""What shoppers draw from: items by popularity, queries that find them, known shoppers."""

import json
import random
import uuid
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from features.catalog.words import query_for
from features.datasets.format import Dataset

ZIPF_EXPONENT = 1.0  # item popularity in shops is near 1/rank
NEW_SHARE = 0.1  # shoppers of whom nothing is known
KNOWN_SHOPPERS = 2_000


@dataclass(frozen=True)
class Shop:
    """The population. `queries[i]` finds `item_ids[i]`; items are listed most popular first."""

    item_ids: list[str]
    queries: list[str]
    user_ids: list[str]

    @classmethod
    def of(cls, dataset: Dataset) -> "Shop":
        """The shop of a data set: popularity is what its log counts."""
        items, events = dataset.items, dataset.events
        counts = events["item_id"].value_counts()
        ranked = items.assign(count=items["item_id"].map(counts).fillna(0)).sort_values(
            "count", ascending=False, kind="stable"
        )
        users = events.loc[events["user_id"] != "", "user_id"].value_counts()
        return cls(
            item_ids=ranked["item_id"].tolist(),
            queries=[query_for(title) for title in ranked["title"]],
            user_ids=users.index[:KNOWN_SHOPPERS].tolist(),
        )

    @classmethod
    def read(cls, path: Path) -> "Shop":
        """A shop that `write` wrote; what workers on other machines need."""
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)))


class Draws:
    """Seeded draws from a shop.

    `cold`: every draw is one that no cache has seen: items evenly, and a new word in each query.
    """

    def __init__(self, shop: Shop, rng: random.Random, cold: bool = False) -> None:
        self.rng = rng
        self._shop = shop
        self._cold = cold
        # Not of the seed: a stack that saw this run's seed before must still see new ids.
        self._run = uuid.uuid4().hex[:12]
        self._n_ids = 0

    @cached_property
    def _cumulative(self) -> list[float]:
        exponent = 0.0 if self._cold else ZIPF_EXPONENT
        return list(accumulate((k + 1) ** -exponent for k in range(len(self._shop.item_ids))))

    def new_id(self, kind: str) -> str:
        """An id that no stack has seen."""
        self._n_ids += 1
        return f"{kind}-{self._run}-{self._n_ids}"

    def item(self) -> str:
        """An item, by Zipf's law over popularity."""
        return self.rng.choices(self._shop.item_ids, cum_weights=self._cumulative)[0]

    def items(self, n: int) -> list[str]:
        """At most `n` different items, by the same law."""
        n = min(n, len(self._shop.item_ids))
        drawn: dict[str, None] = {}
        for _ in range(4):
            more = self.rng.choices(self._shop.item_ids, cum_weights=self._cumulative, k=2 * n)
            drawn.update(dict.fromkeys(more))
            if len(drawn) >= n:
                break
        return list(drawn)[:n]

    def query(self) -> str:
        """A query for an item drawn by the same law."""
        words = self.rng.choices(self._shop.queries, cum_weights=self._cumulative)[0]
        if not self._cold:
            return words
        return f"{words} {''.join(self.rng.choices('abcdefghijklmnoprstuvwz', k=8))}"

    def shopper(self) -> str:
        """The id of a shopper; one in ten is new."""
        if not self._shop.user_ids or self.rng.random() < NEW_SHARE:
            return self.new_id("new")
        return self.rng.choice(self._shop.user_ids)
