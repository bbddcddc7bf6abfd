"""What exploration adds to the time of a slate, each policy in turn in one run.

python -m loadtests.exploration.cost
"""

import argparse
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from features.behavior.matrix import COLUMN, FEATURE_NAMES
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.ranking.request import Context
from serving.ranking.slate.policy import Rival, SlatePolicy
from serving.ranking.values import Candidates, FeatureMatrix
from serving.shops.rules import Rules

_NOTHING = {"share": 0}
_ALL = {"share": 1.0, "places": 100, "among": 10}
POLICIES = {
    "none": _NOTHING,
    "uplift, evenly": {"share": 0.05},
    "uplift, Thompson": {"share": 0.05, "choice": "thompson", "max_exposure": 50},
    "10 places drawn, share .3": {"share": 0, "sampling": {"share": 0.3}},
    "10 places drawn, all": {"share": 0, "sampling": {"share": 1.0}},
    "100 places drawn, all": {"share": 0, "sampling": _ALL},
}


class Slate:
    """A slate of `n` candidates, ordered with the shop's usual diversity."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        self._table = ItemTable(
            Item(f"i{k}", f"Item {k}", category=f"Top > C{k % 9}", brand=f"B{k % 5}")
            for k in range(n)
        )
        rows = np.arange(n)
        values = np.full((n, len(FEATURE_NAMES)), np.nan, np.float32)
        exposure = rng.exponential(20, n).astype(np.float32)
        values[:, COLUMN["item_interest_30d"]] = np.log1p(exposure * rng.random(n) * 0.1)
        self._features = FeatureMatrix(
            rows, values, self._table.category[rows], self._table.brand[rows], exposure
        )
        nothing = np.full(n, np.nan, np.float32)
        self._offered = Candidates(list(self._table.item_ids), rows, nothing)
        self._scores = rng.standard_normal(n).astype(np.float32)
        self._policy = SlatePolicy(rng)

    def timed(self, rules: Rules, interleaved: bool = False) -> float:
        """Seconds of one order."""
        rival = Rival(self._scores[::-1].copy(), rules) if interleaved else None
        context = Context("r", 0.0, 0.0)
        started_s = time.perf_counter()
        self._policy.order(
            self._table, rules, context, self._offered, self._features, self._scores, rival=rival
        )
        return time.perf_counter() - started_s


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--slates", type=int, default=2_000, help="of each policy")
    given = parser.parse_args()
    slate = Slate(given.candidates)
    tried = [(n, Rules.model_validate({"exploration": e}), False) for n, e in POLICIES.items()]
    tried.append(("interleaved with a second order", Rules(), True))
    times: dict[str, list[float]] = {name: [] for name, _, _ in tried}
    for _ in range(given.slates):  # in turn, so that a busy moment meets all of them
        for name, rules, interleaved in tried:
            times[name].append(slate.timed(rules, interleaved))
    # The fastest is what the work itself takes, whatever else the machine does meanwhile.
    usual = min(times["none"])
    table = Table("exploration", "fastest, ms", "more than none, ms", "median, ms")
    for name, taken in times.items():
        table.add_row(
            name, f"{1e3 * min(taken):.3f}", f"{1e3 * (min(taken) - usual):+.3f}",
            f"{1e3 * float(np.median(taken)):.3f}",
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
