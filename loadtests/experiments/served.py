"""Interleaving as it is served: the slate policy drafts, with pins, buries and diversity on.

Rankers, shoppers and clicks are those of interleaved.py; pinned and buried items are nobody's.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from rich.console import Console

from features.arrays import DoubleArray, FloatArray, IntArray, LongArray
from features.behavior.matrix import FEATURE_NAMES
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.telemetry.progress import tracked
from loadtests.experiments.bars import Bar, at_least, at_most
from loadtests.experiments.interleaved import (
    Found,
    Rng,
    Shop,
    Visits,
    click_chances,
    clicks,
    visits,
    without_difference,
)
from loadtests.experiments.proofs import Proved, Size
from serving.experiments.statistics.interleaving import CONTROL, NEITHER, credits, preference
from serving.experiments.statistics.planner import Question, plan
from serving.ranking.request import Context
from serving.ranking.slate.policy import Rival, SlatePolicy
from serving.ranking.values import Candidates, FeatureMatrix
from serving.shops.rules import Rules

_PILOT = 40_000  # shoppers from whom it is planned
_OFF = 0.002  # of the credit, from a half: what a bias would have to be to be one
_SHOP = Shop()
_ITEMS = ItemTable(
    Item(f"i{n}", f"Item {n}", category=f"Top > C{n % 5}", brand=f"B{n % 6}")
    for n in range(_SHOP.candidates)
)
RULES = Rules.model_validate(
    {
        "pins": [
            {"item_id": "i5", "position": 3, "reason": "ours"},
            {"item_id": "i9", "position": 7, "reason": "ours"},
        ],
        "buries": [{"match": {"brand": "B2"}, "reason": "recall"}],
        "diversity": {"by": "category", "max_same": 1, "window": 3, "depth": 8},
        "exploration": {"share": 0},
    }
)


class Slates(NamedTuple):
    """What m visits were shown, (m, places), and whose pick each is."""

    shown: LongArray
    teams: IntArray


@dataclass(frozen=True, slots=True)
class Served:
    """Runs read, and the credit of all of them by team, (2,)."""

    found: Found
    credit: DoubleArray

    @property
    def share(self) -> float:
        """Of treatment."""
        return float(self.credit[1] / self.credit.sum())


def slates(shop: Shop, orders: LongArray, rival: LongArray | None, rng: Rng) -> Slates:
    """`orders` (m, candidates) by the policy that serves, interleaved with those of a rival."""
    m, n = orders.shape
    rows = np.arange(n)
    unknown = np.full((n, len(FEATURE_NAMES)), np.nan, np.float32)
    features = FeatureMatrix(rows, unknown, _ITEMS.category, _ITEMS.brand, np.zeros(n, np.float32))
    offered = Candidates([*_ITEMS.item_ids], rows, np.full(n, np.nan, np.float32))
    context, policy = Context("r", 0.0, 0.0, limit=shop.places), SlatePolicy(rng)
    scores, other = _scores(orders), None if rival is None else _scores(rival)
    shown = np.zeros((m, shop.places), np.int64)
    teams = np.full((m, shop.places), NEITHER, np.int32)
    for visit in range(m):
        made = policy.order(
            _ITEMS, RULES, context, offered, features, scores[visit],
            rival=None if other is None else Rival(other[visit], RULES),
        )  # fmt: skip
        shown[visit] = made.order
        if made.teams is not None:
            teams[visit] = made.teams
    return Slates(shown, teams)


def needed_by_ab(shop: Shop, n: int, rng: Rng) -> tuple[int, float]:
    """Shoppers that an A/B test of the two rankers needs under these rules, and the lift in clicks.

    The lift is that of expected clicks over the same `n` shoppers' visits: less chance in it.
    """
    seen = visits(shop, n, rng)
    control, treatment = (slates(shop, order, None, rng).shown for order in seen.orders)
    expected = [click_chances(shop, seen.relevance, shown).sum() for shown in (control, treatment)]
    lift = float(expected[1] / expected[0] - 1)
    clicked = clicks(shop, seen.relevance, control, rng).sum(axis=1)
    each = np.bincount(seen.shopper, clicked, minlength=n)
    question = Question(float(each.mean()), float(each.std(ddof=1)), lift)
    return plan(question).shoppers, lift


def served(shop: Shop, n: int, runs: int, rng: Rng) -> Served:
    """Each of `n` shoppers has both rankers in one slate."""
    return _read([_credit(shop, visits(shop, n, rng), rng) for _ in range(runs)])


def served_opposites(shop: Shop, n: int, runs: int, rng: Rng) -> Served:
    """One ranker has the other's order upside down, and shoppers click whatever stands high."""
    credit = []
    for _ in range(runs):
        seen = visits(shop, n, rng)
        order = seen.orders[CONTROL]
        alike = Visits(seen.shopper, np.zeros_like(seen.relevance), (order, order[:, ::-1]))
        credit.append(_credit(shop, alike, rng))
    return _read(credit)


def proof(
    size: Size, seed: int, console: Console, shop: Shop = _SHOP, pilot: int = _PILOT
) -> Proved:
    """Equal rankers get equal credit, and a better one is found with a tenth of the shoppers that
    an A/B test needs under the same rules; how often with a twentieth is told beside it."""
    rng, runs = np.random.default_rng(seed), size.served
    by_ab, lift = needed_by_ab(shop, pilot, rng)
    few, more = by_ab // 20, by_ab // 10
    equal, opposite = "equal rankers", "opposite rankers, clicks by place"
    asked = [
        (equal, without_difference(shop), few, served),
        (opposite, shop, few, served_opposites),
        ("a better ranker, a twentieth", shop, few, served),
        ("a better ranker", shop, more, served),
    ]
    found = {
        name: ask(of, n, runs, rng)
        for name, of, n, ask in tracked(asked, "rankers interleaved as served", console)
    }
    note = f"{few:,} shoppers a run; pins, buries and diversity on"
    bars: list[Bar] = []
    for name in (equal, opposite):
        told = found[name]
        off, wrong = abs(told.share - 0.5), told.found.right + told.found.wrong
        bars.append(Bar(f"{name}: credit off a half", off, _OFF, False, None, note))
        bars.append(at_most(f"{name}: false orders", wrong, runs, 0.05, note))
    better, fewer = found["a better ranker"].found, found["a better ranker, a twentieth"].found
    note = (
        f"{more:,} shoppers; A/B needs {by_ab:,} for {lift:+.1%} clicks, rules on; {few:,} find it "
        f"in {fewer.right / runs:.0%}"
    )
    bars.append(at_least("order found by interleaving as served", better.right, runs, 0.8, note))
    figures = {
        name: {**told.found._asdict(), "share": told.share, "credit": told.credit.tolist()}
        for name, told in found.items()
    }
    return Proved(bars, {"lift": lift, "shoppers_ab": by_ab, "shoppers": few, **figures})


def _scores(orders: LongArray) -> FloatArray:
    """Scores (m, n) that rank as `orders` do."""
    m, n = orders.shape
    scores = np.zeros((m, n), np.float32)
    falling = np.broadcast_to(np.arange(n, 0, -1, dtype=np.float32), (m, n))
    np.put_along_axis(scores, orders, falling, axis=1)
    return scores


def _credit(shop: Shop, seen: Visits, rng: Rng) -> DoubleArray:
    made = slates(shop, *seen.orders, rng)
    clicked = clicks(shop, seen.relevance, made.shown, rng)
    owner = np.repeat(seen.shopper, shop.places)
    return credits(owner, made.teams.ravel(), clicked.ravel().astype(np.float64))


def _read(runs: list[DoubleArray]) -> Served:
    told = [preference(credit) for credit in runs]
    right = sum(each.low > 0.5 for each in told)
    wrong = sum(each.high < 0.5 for each in told)
    return Served(Found(len(runs), right, wrong), np.sum([run.sum(axis=0) for run in runs], axis=0))
