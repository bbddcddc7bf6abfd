"""Are the logged propensities true? A slate is ordered again and again, and counted.

    python -m loadtests.exploration.propensities --draws 1000000

A propensity is the probability of an item at a place, given the places before. So for each place
and item, how often it came is compared with the sum, over what stood before, of how often that
stood there times the propensity that was logged. The error is that of a sum of independent throws.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from features.arrays import FloatArray
from features.behavior.matrix import COLUMN, FEATURE_NAMES
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.ranking.request import Context
from serving.ranking.slate.policy import Ordered, Rival, SlatePolicy
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
    """Counts what stood where, after what, and what was logged of it."""

    def __init__(self) -> None:
        self._after: dict[tuple[int, ...], dict[int, list[float]]] = defaultdict(dict)
        self._uneven = 0.0

    def add(self, order: list[int], propensity: list[float]) -> None:
        """One slate."""
        for place, (item, told) in enumerate(zip(order, propensity, strict=True)):
            seen = self._after[tuple(order[:place])].setdefault(item, [0, told])
            seen[0] += 1
            self._uneven = max(self._uneven, abs(seen[1] - told))

    def finding(self, case: Case, draws: int) -> Finding:
        """What came of it."""
        off: dict[tuple[int, int], float] = defaultdict(float)
        variance: dict[tuple[int, int], float] = defaultdict(float)
        compared = 0.0
        for before, items in self._after.items():
            times = sum(count for count, _ in items.values())
            if times < _VISITS:
                continue
            compared += times
            for item, (count, told) in items.items():
                off[len(before), item] += count - times * told
                variance[len(before), item] += times * told * (1 - told)
        told_of = [told for items in self._after.values() for _, told in items.values()]
        errors = [0.0] * N
        for (place, item), difference in off.items():
            # Where nothing is left to chance, one slate that differs is an error without end.
            sure = variance[place, item] < 1e-9
            error = float(abs(difference) > 1e-3) * np.inf if sure else 0.0
            if not sure:
                error = abs(difference) / variance[place, item] ** 0.5
            errors[place] = max(errors[place], error)
        above = max(sum(told for _, told in items.values()) for items in self._after.values()) - 1
        share = compared / (draws * N)
        return Finding(case, draws, errors, min(told_of), share, self._uneven, above)


def tried(case: Case, draws: Iterable[int], seed: int = 1) -> Finding:
    """Order the slate once for each of `draws`, and compare."""
    policy, tally, n = SlatePolicy(np.random.default_rng(seed)), Tally(), 0
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
    rival = Rival(scores[::-1].copy(), case.rules) if case.interleaved else None
    for _ in draws:
        made = _ordered(policy, case.rules, offered, features, scores, rival)
        tally.add(made.order.tolist(), made.propensity.tolist())
        n += 1
    return tally.finding(case, n)


def _ordered(
    policy: SlatePolicy,
    rules: Rules,
    offered: Candidates,
    features: FeatureMatrix,
    scores: FloatArray,
    rival: Rival | None,
) -> Ordered:
    context = Context("r", 0.0, 0.0, query=None if offered.matches is None else "things")
    return policy.order(ITEMS, rules, context, offered, features, scores, 0.15, rival=rival)


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
