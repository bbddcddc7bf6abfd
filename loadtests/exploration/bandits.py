"""Does a bandit over a handful of policies pay? In the simulated shop, against fixed choices.

    python -m loadtests.exploration.bandits --shops 10 --keep build/choices

`--keep` writes what each policy would have earned, for other libraries to be tried on the same.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from features.objective import ObjectiveError
from features.telemetry.progress import tracked
from loadtests.exploration.bandit import Bandit, EpsilonGreedy, Evenly, LinearThompson
from loadtests.exploration.choices import CONTEXT, POLICIES, Choices, choices
from loadtests.exploration.findings import Interval, interval
from loadtests.exploration.play import warmed_up
from loadtests.exploration.shop import Shop
from serving.experiments.worth import add_objective, objective_of

_NOISE = 2.0  # of a reward: most answers give nothing, some a purchase
BANDITS: dict[str, Callable[[], Bandit]] = {
    "evenly": lambda: Evenly(len(POLICIES)),
    "epsilon-greedy .1": lambda: EpsilonGreedy(len(POLICIES), len(CONTEXT), _NOISE),
    "linear Thompson": lambda: LinearThompson(len(POLICIES), len(CONTEXT), _NOISE),
}


def earned(bandit: Bandit, offered: Choices, seed: int) -> float:
    """Mean worth of what the bandit chooses while it learns from the rewards."""
    rng, total = np.random.default_rng((seed, 3)), 0.0
    for context, reward, worth in zip(offered.context, offered.reward, offered.worth, strict=True):
        chosen = int(rng.choice(len(reward), p=bandit.chances(context)))
        bandit.learn(chosen, context, float(reward[chosen]))
        total += float(worth[chosen])
    return total / len(offered.reward)


def by_context(offered: Choices) -> float:
    """Of the best policy for each context, by the truth: what no bandit can pass."""
    kinds, which = np.unique(offered.context, axis=0, return_inverse=True)
    best = [offered.worth[which == kind].sum(axis=0).max() for kind in range(len(kinds))]
    return float(np.sum(best)) / len(offered.worth)


def main() -> int:
    """Exit status 1 when no bandit earns more than the best fixed policy; 2: a bad objective."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shops", type=int, default=10)
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--rankings", type=int, default=500, help="a day")
    parser.add_argument("--keep", type=Path, help="folder for choices-<seed>.npz")
    add_objective(parser)
    given = parser.parse_args()
    try:
        objective = objective_of(given)
    except ObjectiveError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console(width=None if sys.stdout.isatty() else 110)
    rows: dict[str, list[float]] = {}
    for seed in tracked(range(given.shops), "shops", console):
        shop = Shop.drawn(seed, given.items, given.rankings, objective)
        offered = choices(shop, warmed_up(shop, "click rate", seed), seed)
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            np.savez(
                given.keep / f"choices-{seed}.npz",
                context=offered.context, reward=offered.reward, worth=offered.worth,
            )  # fmt: skip
        for name, mean in zip(POLICIES, offered.worth.mean(axis=0).tolist(), strict=True):
            rows.setdefault(f"always {name}", []).append(mean)
        for name, made in BANDITS.items():
            rows.setdefault(name, []).append(earned(made(), offered, seed))
        rows.setdefault("best for each context", []).append(by_context(offered))
    found = compared(rows)
    table = Table("which policy", "reward of a ranking", "against the best fixed one, %")
    for name, mean in rows.items():
        table.add_row(name, f"{np.mean(mean):.4f}", str(found[name]))
    console.print(table)
    return 0 if any(found[name].low > 0 for name in BANDITS) else 1


def compared(rows: dict[str, list[float]]) -> dict[str, Interval]:
    """Each against the policy that is the best of the fixed ones over all shops, in %."""
    fixed = [name for name in rows if name.startswith("always ")]
    best = np.array(rows[max(fixed, key=lambda name: float(np.mean(rows[name])))])
    return {name: interval(100 * (np.array(mean) / best - 1)) for name, mean in rows.items()}


if __name__ == "__main__":
    sys.exit(main())
