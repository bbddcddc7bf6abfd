"""What the rule `looks` is worth to new items, beside the ranker: an ablation.

    python -m loadtests.pictures.looks

The simulated shop of shoppers.py, as a log that is replayed. Each shopper's next visit is a slate
of 100: what is clicked, among others. The ranker that a new shop has orders it (no column of it
knows pictures), and the rules of new shoppers do, each with and without the rule, and with the
likenesses dealt out anew among the items of a slate, which leaves what being new alone gains. The
strength is chosen on half of the shoppers, and told of the others.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray
from features.behavior.matrix import Shopper
from features.behavior.replay import item_table, replay
from features.catalog.counters import HALF_LIFE, Counter
from features.catalog.table import ItemTable
from loadtests.pictures.gallery import gallery
from loadtests.pictures.log import Log, log_of
from loadtests.pictures.shoppers import N_SHOPPERS, Visits, draw_items, usual_visits, visit
from serving.ranking.request import Context
from serving.ranking.slate.moves import Moves
from serving.ranking.values import Candidates, FeatureMatrix
from serving.search.pictures.index import PictureIndex
from serving.search.pictures.match import looks_like
from serving.shops.rules import Rules
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates
from serving.training.evaluate import baselines
from serving.training.fit.bundle import Bundle
from serving.training.fit.columns import columns
from serving.training.quality import interval, quality

_BUNDLE = Path("serving/training/bundles/starting")
_REPORT = Path("build/reports/pictures_looks.json")
_STRENGTHS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
MAX_EXPOSURE = 5.0  # nobody's impressions are drawn, so exposure is of clicks alone
_SEED = 3


@dataclass(frozen=True, slots=True)
class Met:
    """The slates of all shoppers, and what they look like to each; new: bool (R,)."""

    items: ItemTable
    slates: Slates
    shoppers: Sequence[Shopper]
    features: Sequence[FeatureMatrix]
    new: BoolArray

    def lifted(self, scores: FloatArray, strength: float, dealt: bool = False) -> FloatArray:
        """The scores (R,) with the rule; dealt: with likenesses dealt out anew in each slate."""
        rules = Rules.model_validate(
            {"looks": {"strength": strength, "max_exposure": MAX_EXPOSURE}}
        )
        out, rng = scores.copy(), np.random.default_rng(_SEED)
        for index, (features, shopper) in enumerate(zip(self.features, self.shoppers, strict=True)):
            part = self.slates.part(index)
            if dealt and features.looks is not None:
                features = _dealt(features, self.new[part], rng)
            nothing = np.full(len(features.rows), np.nan, np.float32)
            names = [self.items.item_ids[row] for row in features.rows.tolist()]
            context = Context("", float(self.slates.at_s[index]), 0.0)
            asked = Candidates(names, features.rows, nothing)
            moves = Moves(self.items, rules, context, asked, features, shopper)
            out[part] = moves.boosted(scores[part])
        return out

    def ndcg(self, scores: FloatArray, of_new: bool) -> DoubleArray:
        """NDCG@10 of each shopper, of all that is wanted or of what is new of it, (n,)."""
        gains = self.slates.labels * self.new if of_new else self.slates.labels
        return quality(scores, gains, self.slates.offsets).ndcg


def _dealt(features: FeatureMatrix, new: BoolArray, rng: np.random.Generator) -> FeatureMatrix:
    """With the likenesses of new items exchanged among each other."""
    looks = features.looks
    assert looks is not None
    places = np.arange(len(new))
    places[new] = rng.permutation(places[new])
    return replace(features, looks=looks.take(places))


def met(log: Log, index: PictureIndex, new: BoolArray, after: Visits, shown: BoolArray) -> Met:
    """The slates of the next visits. new, shown: of items, (n_items,)."""
    items, end = item_table(log.dataset), len(log.dataset.events)
    (stop,) = replay(log.dataset, items, np.array([end]))
    shoppers = [Shopper(stop.state.users.get(str(each))) for each in after.shopper.tolist()]
    counts = stop.state.items.at(np.arange(len(items)), log.now_s)
    exposure = counts[:, : Counter.RETURN, HALF_LIFE["30d"]].sum(axis=1)
    slates = build_slates(log.dataset, items, log.cases(after, shown), _SEED)
    features = []
    for number, shopper in enumerate(shoppers):
        part = slates.part(number)
        rows = slates.item_rows[part]
        few = np.where(exposure[rows] < MAX_EXPOSURE, rows, -1)
        looks = looks_like(index, shopper.histories(items), few)
        values, category, brand = slates.features[part], items.category[rows], items.brand[rows]
        features.append(FeatureMatrix(rows, values, category, brand, exposure[rows], looks=looks))
    return Met(items, slates, shoppers, features, new[slates.item_rows])


def _all_met() -> Iterator[tuple[str, Met]]:
    """Slates of new items alone, and of all items."""
    rng = np.random.default_rng(_SEED)
    found, vectors = gallery()
    drawn = draw_items(found, rng)
    log = log_of([found[at].kind for at in drawn.places], drawn, usual_visits(drawn, rng, _SEED))
    index, everything = PictureIndex(), np.ones(len(drawn.places), bool)
    index.update(np.arange(len(drawn.places)), vectors[drawn.places])
    for name, shown in (("new items", drawn.new), ("all items", everything)):
        yield name, met(log, index, drawn.new, visit(drawn, rng, 1, shown, _SEED), shown)


def _ablation() -> Iterator[tuple[str, str, dict[str, tuple[float, float, float]]]]:
    """Slates, who ranks them, and figures with 95 % intervals by name."""
    bundle = Bundle(_BUNDLE)
    tower, tuning = bundle.tower(), np.arange(N_SHOPPERS) % 2 == 0
    for name, slates in _all_met():
        vectors = tower.encode([item.ranker_text for item in slates.items.items])
        ranked = {
            "ranker": bundle.scores(columns(slates.slates, vectors, {})),
            "rules": baselines.by_rules(slates.items)(slates.slates, np.zeros((0, 0), np.float32)),
        }
        for by, scores in ranked.items():
            lifted = {strength: slates.lifted(scores, strength) for strength in _STRENGTHS}
            best = max(
                lifted, key=lambda each: float(np.nanmean(slates.ndcg(lifted[each], False)[tuning]))
            )
            told = {"strength": (best, best, best)}
            for of, of_new in (("all", False), ("new", True)):
                without, with_looks, dealt = (
                    slates.ndcg(each, of_new)[~tuning]
                    for each in (scores, lifted[best], slates.lifted(scores, best, dealt=True))
                )
                told[f"{of}: without"] = interval(without)
                told[f"{of}: with looks"] = interval(with_looks)
                told[f"{of}: looks add"] = interval(with_looks - without)
                told[f"{of}: dealt out anew add"] = interval(dealt - without)
                told[f"{of}: looks less dealt out"] = interval(with_looks - dealt)
            print(f"{name}, by {by}, {(~tuning).sum()} shoppers, strength {best:g}")
            for what, (mean, low, high) in [*told.items()][1:]:
                print(f"  {what:<26} {mean:+.4f} [{low:+.4f}, {high:+.4f}]", flush=True)
            yield name, by, told


def main() -> int:
    """The exit status: 1 where looks do not surely help new items beside the ranker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.parse_args()
    figures = {f"{slate}, {by}": told for slate, by, told in _ablation()}
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps(figures, indent=2))
    return int(figures["new items, ranker"]["new: looks add"][1] <= 0)


if __name__ == "__main__":
    sys.exit(main())
