"""Processor time that a ranking spends on state and features in the ingress, step by step.

    python -m loadtests.bench.features_cost --data grocery --items 2000

Fills a store of its own from the data set (a minute or more), then reads, matches and packs for
shoppers of its last day, each with a session and a hundred items, every other one with a query.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar, cast

import numpy as np
from feast import FeatureStore
from rich.console import Console
from rich.table import Table

from features.arrays import RowArray
from features.behavior.neighbor_file import read_neighbors
from features.behavior.state import SESSION_TTL_S
from features.catalog.words import query_for
from features.datasets.format import Dataset
from features.store.backends import open_catalog
from features.store.feature_store import open_store
from features.store.online import OnlineFeatures
from features.store.settings import StoreSettings
from serving.local.models import tokenizer_path
from serving.models.contract import MAX_TOKENS, Limits
from serving.models.limits import PublishedLimits
from serving.models.tokenizer import Tokenizer
from serving.ranking.request import Context, Recommend
from serving.ranking.settings import PipelineSettings
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.values import Candidates
from serving.shops.items import ItemCache
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.seeding import pseudonymous, read_source, seed
from serving.shops.shop import Shop

N_REQUESTS, N_CANDIDATES = 200, 100
_PSEUDONYMS = Pseudonyms(b"for a measurement only")
_Made = TypeVar("_Made")


class Steps:
    """Milliseconds of processor time of each step, for each request; one entry a round."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = {}

    def timed(self, step: str, call: Callable[[], Sequence[_Made]]) -> Sequence[_Made]:
        """What `call` makes of all requests."""
        started_s = time.process_time()
        made = call()
        spent_ms = 1000 * (time.process_time() - started_s) / len(made)
        self.ms.setdefault(step, []).append(spent_ms)
        return made


def measure(folder: Path, dataset: Dataset, rounds: int) -> Steps:
    """The steps over a store that was seeded in `folder` from `dataset`."""
    settings = StoreSettings(state=folder)
    tokenizer = Tokenizer(tokenizer_path())
    store = open_store(settings)
    items = _items(settings, tokenizer, OnlineFeatures(store))
    limits = PublishedLimits(Limits)
    limits.refresh()
    features = ShopperFeatures(tokenizer, limits, PipelineSettings(features_budget_s=10.0))
    asked = _requests(dataset, items)
    steps = Steps()
    for _ in range(rounds + 1):  # the first one warms up
        _round(steps, features, store, items, asked)
    return steps


def _round(
    steps: Steps,
    features: ShopperFeatures,
    store: FeatureStore,
    items: ItemCache,
    asked: Sequence[tuple[Context, Candidates]],
) -> None:
    """All steps once, of shoppers of whom no state is kept from the time before."""
    online, source = OnlineFeatures(store), Recommend(())
    states = steps.timed(
        "read in the event loop's place",
        lambda: [online.read_shopper(c.user_id, c.session_id, c.at_s) for c, _ in asked],
    )
    # What the features know of a shop.
    shop = cast(Shop, SimpleNamespace(items=items, shoppers=OnlineFeatures(store)))

    async def read() -> list[object]:
        return [await features.read(shop, context) for context, _ in asked]

    steps.timed("read in a thread", lambda: asyncio.run(read()))
    evidence = steps.timed(
        "evidence",
        lambda: [
            features.evidence(shop, context, known, source)
            for (context, _), known in zip(asked, states, strict=True)
        ],
    )
    matrices = steps.timed(
        "matrix",
        lambda: [
            features.matrix(shop, context, candidates, of)
            for (context, candidates), of in zip(asked, evidence, strict=True)
        ],
    )
    steps.timed(
        "tensors",
        lambda: [
            features.tensors(shop, context, of, matrix)
            for (context, _), of, matrix in zip(asked, evidence, matrices, strict=True)
        ],
    )


def _items(settings: StoreSettings, tokenizer: Tokenizer, online: OnlineFeatures) -> ItemCache:
    items = ItemCache(tokenizer, MAX_TOKENS, settings.prices)
    catalog = open_catalog(settings)
    items.upsert(catalog.changed_since(0).upserts)
    catalog.close()
    read_neighbors(settings.state / "neighbors.npz", items.table)
    counted = online.read_items(items.table.item_ids)
    rows = items.table.rows(items.table.item_ids)
    items.set_counters(rows, counted.counts, counted.at_s, counted.first_s)
    return items


def _requests(dataset: Dataset, items: ItemCache) -> list[tuple[Context, Candidates]]:
    """Of the last shoppers and sessions of the data set; popular items are asked about more."""
    rng = np.random.default_rng(0)
    events = dataset.events[dataset.events["user_id"] != ""]
    now_s = float(events["at"].max()) + 60
    events = events[events["at"] > now_s - SESSION_TTL_S].drop_duplicates("session_id", keep="last")
    users, sessions = events["user_id"].tolist(), events["session_id"].tolist()
    demand = items.counters.demand(np.arange(len(items.table)), now_s) + 1e-3
    chance = (demand / demand.sum()).astype(np.float64)
    chance /= chance.sum()

    def drawn(n: int) -> RowArray:
        return rng.choice(len(chance), n, replace=False, p=chance)

    asked = []
    for number in range(N_REQUESTS):
        rows = drawn(min(N_CANDIDATES, len(chance)))
        query = query_for(items.table.items[int(drawn(1)[0])].title) if number % 2 else None
        score = rng.random(len(rows), np.float32) if query else np.full(len(rows), np.nan)
        at = number % len(users)
        context = Context(
            str(number), now_s, time.monotonic() + 1e6, users[at], sessions[at], query
        )
        item_ids = [items.table.item_ids[row] for row in rows.tolist()]
        asked.append((context, Candidates(item_ids, rows, score.astype(np.float32))))
    return asked


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="grocery")
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        dataset, table = read_source(given.data, folder / "datasets", given.items)
        seed(
            dataset, table, StoreSettings(state=folder), _PSEUDONYMS, folder / "neighbors.npz",
            console,
        )  # fmt: skip
        steps = measure(folder, pseudonymous(dataset, _PSEUDONYMS), given.rounds)
    told = Table("step", "median, ms", "least, ms", title="processor time of one ranking")
    for step, ms in steps.ms.items():
        told.add_row(step, f"{np.median(ms[1:]):.3f}", f"{min(ms[1:]):.3f}")
    console.print(told)


if __name__ == "__main__":
    main()
