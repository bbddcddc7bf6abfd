"""What text, pictures and behaviour are worth, alone and in one score, to order items by.

    python -m loadtests.pictures.fusion [--shoppers 600]

In a simulated shop (shoppers.py) each shopper has clicked on some items; which are clicked next is
to be found by likeness with these, through the recommender that serving has. The weights of the one
score are chosen on some shoppers, and told of others. Of new items nobody has clicked on any.
"""

import argparse
import itertools
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, LongArray, RowArray
from features.behavior.matrix import Shopper
from features.behavior.neighbors import neighbor_tables
from features.catalog.counters import ItemCounters
from features.catalog.item import Item
from features.catalog.table import ItemTable
from loadtests.pictures.gallery import gallery
from loadtests.pictures.shoppers import Visits, draw_items, usual_visits, visit
from serving.search.dense import DenseIndex
from serving.search.pictures.index import PictureIndex
from serving.search.recommender import Likeness, LikenessWeights, Recommender
from serving.training.fit.network import TextTower
from serving.training.publish.base_model import base_folder
from serving.training.quality import interval

_REPORT = Path("build/reports/pictures_fusion.json")
_DEPTH = 10
_GRID = (0.35, 0.7, 1.4)
_SEED = 3


@dataclass(frozen=True, slots=True)
class Shop:
    """The catalogue of a replica, with its indexes."""

    table: ItemTable
    counters: ItemCounters
    dense: DenseIndex
    pictures: PictureIndex

    def prior_of(self, rows: RowArray) -> None:
        """No other shop shares anything."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Shoppers with what they have clicked on, (n, any), and what they click on next."""

    seen: list[list[int]]
    wanted: list[set[int]]


def main() -> int:
    """The exit status: 1 where pictures do not surely help new items."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--shoppers", type=int, default=600)
    n_asked = parser.parse_args().shoppers
    rng = np.random.default_rng(_SEED)
    found, vectors = gallery()
    items = draw_items(found, rng)
    before = usual_visits(items, rng, _SEED)
    names = [found[place].kind for place in items.places]
    shop = opened(names, vectors[items.places], before)
    everything = np.ones(len(names), bool)
    chosen = rng.permutation(int(before.shopper.max()) + 1)
    figures: dict[str, dict[str, tuple[float, float, float]]] = {}
    weights = {}
    for slate, shown in (("new items", items.new), ("all items", everything)):
        after = visit(items, rng, 1, shown, _SEED)
        tuning = asked(before, after, chosen[:n_asked])
        told = asked(before, after, chosen[n_asked : 2 * n_asked])
        best = max(
            (LikenessWeights(1.0, text, image) for text, image in itertools.product(_GRID, _GRID)),
            key=lambda each: float(ndcg(shop, tuning, shown, each).mean()),
        )
        weights[slate] = best
        alone = {
            "text": ndcg(shop, told, shown, by=Likeness.TEXT),
            "picture": ndcg(shop, told, shown, by=Likeness.IMAGE),
            "behaviour": ndcg(shop, told, shown, by=Likeness.BEHAVIOR),
            "text and behaviour": ndcg(shop, told, shown, LikenessWeights(1.0, best.text, 0.0)),
            "all, as served": ndcg(shop, told, shown, LikenessWeights()),
            "all, weights chosen": ndcg(shop, told, shown, best),
        }
        alone["all less text and behaviour"] = (
            alone["all, weights chosen"] - alone["text and behaviour"]
        )
        figures[slate] = {name: interval(values) for name, values in alone.items()}
        print(f"{slate}, {len(told.seen)} shoppers, weights {asdict(best)}")
        for name, (mean, low, high) in figures[slate].items():
            print(f"  {name:<28} NDCG@{_DEPTH} {mean:.3f} [{low:.3f}, {high:.3f}]", flush=True)
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "ndcg": figures, "weights": {slate: asdict(best) for slate, best in weights.items()},
    }  # fmt: skip
    _REPORT.write_text(json.dumps(report, indent=2))
    return int(figures["new items"]["all less text and behaviour"][1] <= 0)


def opened(names: list[str], looks: FloatArray, before: Visits) -> Shop:
    """A replica of the shop, after these visits."""
    table = ItemTable(Item(str(row), name) for row, name in enumerate(names))
    tables = neighbor_tables(before.interactions(), len(names))
    table.set_neighbors(
        tables.neighbors, tables.neighbor_weights, tables.basket_neighbors,
        tables.basket_neighbor_weights,
    )  # fmt: skip
    rows = np.arange(len(names))
    dense, pictures = DenseIndex(), PictureIndex()
    dense.replace(rows, TextTower(base_folder()).encode(names))
    pictures.update(rows, looks)
    return Shop(table, ItemCounters(len(names)), dense, pictures)


def asked(before: Visits, after: Visits, shoppers: LongArray) -> Asked:
    """The last visit of each shopper before, and the one after."""
    seen, wanted = [], []
    for shopper in shoppers.tolist():
        last = before.items[before.shopper == shopper][-1]
        nexts = set(after.items[after.shopper == shopper].ravel().tolist())
        seen.append(last.tolist())
        wanted.append(nexts - set(last.tolist()))
    kept = [place for place, each in enumerate(wanted) if each]
    return Asked([seen[place] for place in kept], [wanted[place] for place in kept])


def ndcg(
    shop: Shop,
    asked: Asked,
    shown: BoolArray,
    weights: LikenessWeights | None = None,
    by: Likeness | None = None,
) -> DoubleArray:
    """NDCG@_DEPTH of each shopper, (n,), over the items that are shown."""
    recommender = Recommender(shop, shop.dense, shop.pictures, weights)
    discount = 1 / np.log2(np.arange(2, _DEPTH + 2))
    out = np.zeros(len(asked.seen))
    for place, (seen, wanted) in enumerate(zip(asked.seen, asked.wanted, strict=True)):
        seeds = tuple(map(str, seen))
        rows = recommender.recommend(Shopper(), seeds, shown.copy(), _DEPTH, by).rows
        gains = np.isin(rows, list(wanted))
        ideal = discount[: min(len(wanted), _DEPTH)].sum()
        out[place] = (gains * discount[: len(rows)]).sum() / ideal
    return out


if __name__ == "__main__":
    sys.exit(main())
