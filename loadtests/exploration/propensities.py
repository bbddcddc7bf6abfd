"""Are the logged propensities true? A slate is ordered again and again, and counted.

    python -m loadtests.exploration.propensities --draws 1000000

A propensity is the probability of an item at a place, given the places before. So for each place
and item, how often it came is compared with the sum, over what stood before, of how often that
stood there times the propensity that was logged. The error is that of a sum of independent throws.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from features.arrays import DoubleArray, FloatArray, LongArray
from features.behavior.matrix import COLUMN, FEATURE_NAMES
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.ranking.request import Context
from serving.ranking.slate.moves import Order
from serving.ranking.slate.policy import Draw, Rival, drawing
from serving.ranking.values import Candidates, FeatureMatrix
from serving.search.relevance import COLUMNS, Matches
from serving.shops.rules import Rules

BOUND = 4.0  # standard errors
_VISITS = 500  # of the same places before: with fewer, rare items are not all met, nor what is said
N = 12
SEEN = [9, 9, 0, 9, 1, 0, 0, 2, 9, 9, 0, 3]
ITEMS = ItemTable(
    Item(f"i{n}", f"Item {n}", category=f"Top > C{n % 3}", brand=f"B{n % 4}") for n in range(N)
)
_RULES = {
    "pins": [
        {"item_id": "i5", "position": 2, "reason": "ours"},
        {"item_id": "i9", "position": 6, "reason": "ours"},
    ],
    "buries": [{"match": {"brand": "B2"}, "reason": "recall"}],
    "diversity": {"by": "category", "max_same": 1, "window": 3, "depth": 8},
}
_SAMPLING = {"share": 0.4, "temperature": 0.5, "first": 1, "places": 5, "among": 3}
_LIFT = {"share": 0.3, "position": 4, "max_exposure": 5}


@dataclass(frozen=True, slots=True)
class Case:
    """A policy to be tried. searched: with a query, whose relevance bounds what may move."""

    name: str
    rules: Rules
    searched: bool = False
    interleaved: bool = False


def cases() -> list[Case]:
    """With pins, buries and diversity, every one."""

    def rules(**exploration: object) -> Rules:
        return Rules.model_validate({**_RULES, "exploration": exploration})

    return [
        Case("uplift", rules(**_LIFT)),
        Case("drawn", rules(share=0, sampling={**_SAMPLING, "share": 1.0})),
        Case("drawn below a place", rules(share=0, sampling={**_SAMPLING, "first": 4})),
        Case("drawn, else uplift", rules(**_LIFT, sampling=_SAMPLING)),
        Case("the same, searched", rules(**_LIFT, sampling=_SAMPLING), searched=True),
        Case("drawn, else Thompson", rules(**_LIFT, choice="thompson", sampling=_SAMPLING)),
        Case("interleaved", rules(**_LIFT), interleaved=True),
    ]


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one case. errors: for each place, how far the worst item is off, in standard errors;
    least: of the logged propensities; compared: share of the places whose places before came often
    enough; uneven: differences between two propensities of one item after the same places; above:
    by how much those of all items after the same places exceed 1."""

    case: Case
    draws: int
    errors: list[float]
    least: float
    compared: float
    uneven: float
    above: float

    @property
    def true(self) -> bool:
        """Whether the propensities hold."""
        return max(self.errors) <= BOUND and self.uneven < 1e-6 and self.above < 1e-5


class Tally:
    """Counts what stood where, after what, and what was logged of it: slates of `N` items or fewer.

    A slate that begins with some items is told by one number, so that arrays count.
    """

    def __init__(self) -> None:
        self._orders, self._told, self._places = bytearray(), bytearray(), 0

    def add(self, order: Order, propensity: FloatArray) -> None:
        """One slate; all have the same number of places."""
        self._orders += order.astype(np.int8).tobytes()
        self._told += propensity.astype(np.float32).tobytes()
        self._places = len(order)

    def finding(self, case: Case) -> Finding:
        """What came of it."""
        orders = np.frombuffer(self._orders, np.int8).reshape(-1, self._places)
        told = np.frombuffer(self._told, np.float32).reshape(-1, self._places).astype(np.float64)
        draws, places = orders.shape
        errors, compared, uneven, above, least = [], 0, 0.0, -1.0, 1.0
        begins = np.zeros(draws, np.int64)  # number of what stands before
        for place in range(places):
            items = orders[:, place].astype(np.int64)
            # Each begin with each item behind it: how often, and what was logged of it.
            kinds, first, which, count = np.unique(
                begins * N + items, return_index=True, return_inverse=True, return_counts=True
            )
            logged = told[first, place]
            uneven = max(uneven, float(np.abs(told[:, place] - logged[which]).max()))
            least = min(least, float(logged.min()))
            group = np.unique(kinds // N, return_inverse=True)[1]
            times = np.bincount(group, count).astype(np.float64)[group]
            above = max(above, float(np.bincount(group, logged).max()) - 1)
            often = times >= _VISITS
            compared += int(count[often].sum())
            errors.append(_worst(kinds[often] % N, count[often], times[often], logged[often]))
            begins = begins * N + items
        return Finding(
            case, draws, errors, least, compared / (draws * places), uneven, above
        )  # fmt: skip


def _worst(items: LongArray, count: LongArray, times: DoubleArray, logged: DoubleArray) -> float:
    """How far the worst item of a place is off, in standard errors."""
    off = np.bincount(items, count - times * logged, minlength=N)
    variance = np.bincount(items, times * logged * (1 - logged), minlength=N)
    # Where nothing is left to chance, one slate that differs is an error without end.
    sure = variance < 1e-9
    error = np.abs(off) / np.sqrt(np.where(sure, 1.0, variance))
    error[sure] = np.where(np.abs(off[sure]) > 1e-3, np.inf, 0.0)
    return float(error.max())


def tried(case: Case, draws: Iterable[int], seed: int = 1) -> Finding:
    """Draw the slate once for each of `draws`, and compare."""
    rng, tally, draw = np.random.default_rng(seed), Tally(), request(case)
    for _ in draws:
        made = draw(rng)
        tally.add(made.order, made.propensity)
    return tally.finding(case)


def request(case: Case) -> Draw:
    """One request of the case, by the policy that serves."""
    rows = np.arange(N)
    values = np.full((N, len(FEATURE_NAMES)), np.nan, np.float32)
    values[:, COLUMN["item_interest_30d"]] = np.log1p(0.1 * np.array(SEEN))
    exposure = np.array(SEEN, np.float32)
    features = FeatureMatrix(rows, values, ITEMS.category[rows], ITEMS.brand[rows], exposure)
    relevance = np.linspace(0.9, 0.5, N, dtype=np.float32)
    offered = Candidates(
        list(ITEMS.item_ids),
        rows,
        np.full(N, np.nan, np.float32),
        Matches(relevance, np.zeros((N, len(COLUMNS)), np.float32)) if case.searched else None,
    )
    scores = np.linspace(3, 0, N, dtype=np.float32)
    return drawing(
        ITEMS, case.rules, Context("r", 0.0, 0.0, query="things" if case.searched else None),
        offered, features, scores, reach=0.15,
        rival=Rival(scores[::-1].copy(), case.rules) if case.interleaved else None,
    )  # fmt: skip


def main() -> int:
    """Exit status 1 when a propensity is not true."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=1_000_000, help="of each policy")
    parser.add_argument("--only", choices=[case.name for case in cases()])
    given = parser.parse_args()
    table = Table(
        "policy", "slates", f"worst place, standard errors (bound {BOUND:g})", "all places",
        "least propensity", "compared", "",
    )  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else 150)
    findings = []
    for case in cases():
        if given.only not in (None, case.name):
            continue
        shown = track(
            range(given.draws), case.name, console=console, disable=not console.is_terminal
        )
        findings.append(tried(case, shown))
        found = findings[-1]
        table.add_row(
            case.name, f"{found.draws:,}", f"{max(found.errors):.2f}",
            " ".join(f"{error:.1f}" for error in found.errors),
            f"{found.least:.4f}", f"{found.compared:.0%}", "true" if found.true else "NOT TRUE",
        )  # fmt: skip
    console.print(table)
    return 0 if all(found.true for found in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
