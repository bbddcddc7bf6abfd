"""What goes with a cart, and which brands and categories come next, on held-out baskets.

    python -m serving.training.evaluate.companions --bundle serving/training/bundles/grocery

Half of each basket of the test period is the cart; the other half is what should be found. States,
counters and neighbour tables are as of the cut, before the first of these baskets.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from features.arrays import FloatArray, RowArray
from features.behavior.aggregator import Aggregator
from features.behavior.matrix import Shopper
from features.behavior.replay import item_table, replay
from features.catalog.counters import DAY_S, ItemCounters
from features.catalog.table import ItemTable
from features.datasets.format import Dataset
from features.datasets.registry import load
from serving.search.kinds import Kind
from serving.search.recommender import Retrieved
from serving.search.retrieval import Retrieval
from serving.training.data.baskets import Basket, baskets, position_at
from serving.training.data.cases import Case
from serving.training.data.slate_building import build_slates
from serving.training.evaluate import baselines
from serving.training.fit.bundle import Bundle
from serving.training.fit.columns import columns

TEST_DAYS = 28
N_CANDIDATES = 200  # as RetrievalSettings.candidates has it
DEPTH = 10
SEED = 7
COMPANIONS = "companions, as retrieved"


@dataclass
class Catalogue:
    """An `IndexedItems` as of the cut, with the vectors of a tower."""

    table: ItemTable
    counters: ItemCounters
    by_text: dict[str, FloatArray]

    def prior_of(self, rows: RowArray) -> None:
        """Nothing is shared with it."""

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """A `VectorSource`."""
        return np.stack([self.by_text[text] for text in texts])


@dataclass(frozen=True)
class Cart:
    """Half a basket, and the half that is held out."""

    basket: Basket
    rows: RowArray
    wanted: RowArray


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="grocery")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("build/data"))
    parser.add_argument("--cases", type=int, default=1_000)
    given = parser.parse_args(arguments)
    dataset, bundle = load(given.data, given.cache), Bundle(given.bundle)
    items = item_table(dataset)
    cut_s = float(dataset.events["at"].iloc[-1]) - TEST_DAYS * DAY_S
    carts = _carts(dataset, items, cut_s, given.cases)
    position = position_at(dataset, cut_s)
    console = Console()
    with Progress(console=console) as progress:
        (stop,) = replay(dataset, items, np.array([position]), progress)
        vectors = bundle.tower().encode([item.ranker_text for item in items.items])
    by_text = {item.ranker_text: vectors[row] for row, item in enumerate(items.items)}
    catalogue = Catalogue(stop.items, stop.state.items, by_text)
    retrieval = Retrieval(catalogue, catalogue)
    retrieval.update_vectors(np.arange(len(items)))
    retrieval.refresh_popularity(cut_s)
    found = _lists(retrieval, items, carts)
    console.print(_kinds(retrieval, items, stop.state, carts))
    companions = [chosen[COMPANIONS] for chosen in found]
    cases = [
        _case(cart, chosen, position, cut_s, known)
        for known in (False, True)
        for cart, chosen in zip(carts, companions, strict=True)
    ]
    slates = build_slates(dataset, items, cases, SEED)
    lists = {name: [chosen[name].rows for chosen in found] for name in found[0]}
    for name, scores in (
        ("the rules", baselines.by_rules(items)(slates, np.zeros((0, 0), np.float32))),
        ("the model", bundle.scores(columns(slates, vectors, {}))),
    ):
        parts = [slates.part(index) for index in range(len(slates))]
        ranked = [slates.item_rows[part][np.argsort(-scores[part])] for part in parts]
        lists[f"companions by {name}, strangers"] = ranked[: len(carts)]
        lists[f"companions by {name}, known shoppers"] = ranked[len(carts) :]
    console.print(_table(items, carts, lists))


def _carts(dataset: Dataset, items: ItemTable, cut_s: float, n: int) -> list[Cart]:
    rng = np.random.default_rng(SEED)
    late = [b for b in baskets(dataset, items) if b.at_s >= cut_s and len(b.rows) >= 4]
    carts = []
    for index in np.sort(rng.permutation(len(late))[:n]).tolist():
        rows = rng.permutation(late[index].rows)
        carts.append(Cart(late[index], rows[: len(rows) // 2][:20], rows[len(rows) // 2 :]))
    return carts


def _lists(
    retrieval: Retrieval, items: ItemTable, carts: Sequence[Cart]
) -> list[dict[str, Retrieved]]:
    """What each cart is answered, by name of the way it was chosen."""
    found = []
    for cart in carts:
        ids = tuple(items.item_ids[row] for row in cart.rows.tolist())
        found.append(
            {
                "popular": retrieval.recommend(Shopper(), (), None, N_CANDIDATES),
                "similar to the cart": retrieval.recommend(Shopper(), ids, None, N_CANDIDATES),
                COMPANIONS: retrieval.companions(ids, None, N_CANDIDATES),
            }
        )
    return found


def _case(cart: Cart, chosen: Retrieved, position: int, at_s: float, known: bool) -> Case:
    rows = chosen.rows
    labels = np.isin(rows, cart.wanted).astype(np.float32)
    return Case(
        position, at_s, cart.basket.user_id if known else "",
        rows=rows, labels=labels, weights=np.ones(len(rows), np.float32),
        begun=cart.rows, retrieval_score=chosen.score,
    )  # fmt: skip


def _table(items: ItemTable, carts: Sequence[Cart], found: dict[str, list[RowArray]]) -> Table:
    table = Table("way", f"held out found at {DEPTH}", "the same, other categories")
    for name, lists in found.items():
        every, other = [], []
        for cart, rows in zip(carts, lists, strict=True):
            first = rows[~np.isin(rows, cart.rows)][:DEPTH]
            every.append(np.isin(cart.wanted, first).mean())
            leaves = items.path[cart.rows]
            strange = cart.wanted[~np.isin(items.path[cart.wanted], leaves)]
            if len(strange):
                other.append(np.isin(strange, first).mean())
        table.add_row(name, f"{np.mean(every):.4f}", f"{np.mean(other):.4f}")
    return table


def _kinds(
    retrieval: Retrieval, items: ItemTable, state: Aggregator, carts: Sequence[Cart]
) -> Table:
    """Share of the basket's brands and categories that are among the first DEPTH."""
    table = Table("of", "popular", "for the shopper")
    for name, kind, codes, names in (
        ("brands", Kind(), items.brand, list(items.brand_code)),
        ("categories, level 2", Kind(2), items.category[:, 1], list(items.category_code)),
        ("categories, level 3", Kind(3), items.category[:, 2], list(items.category_code)),
    ):
        shares = []
        popular = [liked.name for liked in retrieval.kinds(Shopper(), kind, None)[:DEPTH]]
        for cart in carts:
            own = codes[cart.basket.rows]
            bought = {names[code] for code in own[own >= 0].tolist()}
            user = Shopper(state.users.get(cart.basket.user_id))
            first = [liked.name for liked in retrieval.kinds(user, kind, None)[:DEPTH]]
            if bought:
                shares.append([len(bought & set(best)) / len(bought) for best in (popular, first)])
        table.add_row(name, *(f"{share:.4f}" for share in np.mean(shares, axis=0)))
    return table


if __name__ == "__main__":
    main()
