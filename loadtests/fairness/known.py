"""Whether households that told their demographics are served better because more is known of them.

The difference of NDCG between two groups, as it is and with what else tells them apart held alike:
by linear regression, and within thirds of one measure. Intervals: bootstrap over households, whose
rankings stay together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.behavior.matrix import COLUMN
from loadtests.fairness.audit import Cases, household_groups
from loadtests.fairness.measures import Array, Interval, ndcg

N_BOOTSTRAP = 2_000
THIRDS = ("fewest", "middle", "most")
_SEED = 23


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What a group has more than all others with `held` held alike; held: () is as it is."""

    held: tuple[str, ...]
    apart: Interval


@dataclass(frozen=True, slots=True)
class Stratum:
    """One third of the rankings by a measure, from `low` to `high`; groups: rankings of each."""

    name: str
    low: float
    high: float
    groups: tuple[int, int]
    ndcg: tuple[float, float]
    apart: Interval


@dataclass(frozen=True, slots=True)
class Known:
    """What households that told something have more of NDCG, by one ranker."""

    ranker: str
    adjusted: list[Adjusted]
    strata: list[Stratum]


def told_apart(cases: Cases) -> list[Known]:
    """Of each ranker that knows the household."""
    group = household_groups(cases.households)["told"][0] == 1
    measures = measures_of(cases)
    names = tuple(measures)
    steps = [(), *((name,) for name in names), names[:2], names]
    found = []
    for ranker in ("ours", "rules"):
        values = ndcg(cases.ranked(ranker)[0])
        found.append(
            Known(
                ranker,
                adjusted(values, group, cases.shopper, measures, steps),
                strata(values, group, cases.shopper, cases.before.astype(np.float64)),
            )
        )
    return found


def measures_of(cases: Cases) -> dict[str, Array]:
    """What else may tell the groups apart, of each ranking (n,)."""
    slates = cases.slates
    wanted = slates.labels > 0
    again = wanted & (slates.features[:, COLUMN["user_times_bought"]] > 0)
    starts = slates.offsets[:-1]
    n_wanted = np.add.reduceat(wanted.astype(np.float64), starts)
    n_again = np.add.reduceat(again.astype(np.float64), starts)
    return {
        "baskets before": np.log1p(cases.before.astype(np.float64)),
        "items in the basket": np.log1p(n_wanted),
        "share bought before": n_again / np.maximum(n_wanted, 1.0),
    }


def adjusted(
    values: Array,
    group: npt.NDArray[np.bool_],
    shopper: npt.NDArray[np.int64],
    measures: Mapping[str, Array],
    steps: Sequence[tuple[str, ...]],
) -> list[Adjusted]:
    """The coefficient of `group` in a regression of `values` on it and each step's measures.

    values, group, shopper, each measure: of each ranking (n,); a ranking without a value counts
    nowhere. A measure stands there with its square.
    """
    told = []
    for held in steps:
        columns = [np.ones(len(values)), group.astype(np.float64)]
        for name in held:
            centred = measures[name] - measures[name].mean()
            columns += [centred, centred**2]
        found, resampled = _coefficients(np.stack(columns, axis=1), values, shopper)
        told.append(Adjusted(held, _interval(float(found[1]), resampled[:, 1])))
    return told


def strata(
    values: Array,
    group: npt.NDArray[np.bool_],
    shopper: npt.NDArray[np.int64],
    measure: Array,
) -> list[Stratum]:
    """Thirds of the rankings by `measure` (n,), with the means of both groups in each."""
    place = np.searchsorted(np.quantile(measure, [1 / 3, 2 / 3]), measure)
    found = []
    for third, name in enumerate(THIRDS):
        own = place == third
        inside, those = group[own], values[own]
        columns = np.stack([np.ones(own.sum()), inside.astype(np.float64)], axis=1)
        (_, apart), resampled = _coefficients(columns, those, shopper[own])
        known = np.isfinite(those)
        found.append(
            Stratum(
                name, float(measure[own].min()), float(measure[own].max()),
                (int((~inside).sum()), int(inside.sum())),
                (float(those[known & ~inside].mean()), float(those[known & inside].mean())),
                _interval(float(apart), resampled[:, 1]),
            )
        )  # fmt: skip
    return found


def _coefficients(
    columns: Array, values: Array, shopper: npt.NDArray[np.int64]
) -> tuple[Array, Array]:
    """Least squares, (p,), and of resampled shoppers, (N_BOOTSTRAP, p)."""
    known = np.isfinite(values)
    columns, values = columns[known], values[known]
    scale = np.abs(columns).max(axis=0)  # so that squares of large measures are solved as well
    columns = columns / scale
    _, place = np.unique(shopper[known], return_inverse=True)
    n, p = int(place.max()) + 1, columns.shape[1]
    square, product = np.zeros((n, p, p)), np.zeros((n, p))
    np.add.at(square, place, columns[:, :, None] * columns[:, None, :])
    np.add.at(product, place, columns * values[:, None])
    drawn = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), N_BOOTSTRAP)
    weights = np.concatenate([np.ones((1, n)), drawn])
    squares = (weights @ square.reshape(n, p * p)).reshape(-1, p, p)
    squares += 1e-9 * np.eye(p)  # a resample may leave nobody of a group
    solved = np.linalg.solve(squares, (weights @ product)[:, :, None])
    found: Array = solved[:, :, 0] / scale
    return found[0], found[1:]


def _interval(value: float, resampled: Array) -> Interval:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(value, float(low), float(high))
