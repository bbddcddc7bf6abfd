"""Measures of exposure fairness over rankings, by groups of items; pure NumPy.

Exposure of a place is 1 / log2(1 + place), as NDCG discounts it (Singh & Joachims, 2018, "Fairness
of Exposure in Rankings"). AWRF: attention-weighted rank fairness (Sapiezynski et al., 2019; Raj &
Ekstrand, 2022), 1 less the Jensen-Shannon divergence of exposure by group from what was on offer.
Intervals: bootstrap over shoppers, whose rankings stay together.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray, RowArray

Array = npt.NDArray[np.float64]
DEPTH = 10
N_BOOTSTRAP = 2_000
_SEED = 11


def exposure_of(depth: int) -> Array:
    """Of each place, (depth,)."""
    return 1.0 / np.log2(np.arange(2, depth + 2))


@dataclass(frozen=True, slots=True)
class Rankings:
    """Ordered candidates of many rankings.

    offsets: (n + 1,), ranking i owns the rows `offsets[i]:offsets[i + 1]`, best first
    item: (R,), its row in the catalogue; gain: (R,), 0 = not wanted; shopper: (n,), a number each
    """

    offsets: RowArray
    item: RowArray
    gain: FloatArray
    shopper: RowArray

    @staticmethod
    def ordered(
        scores: FloatArray, item: RowArray, gain: FloatArray, offsets: RowArray, shopper: RowArray
    ) -> "Rankings":
        """By `scores` (R,), highest first."""
        ranking = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        order = np.lexsort((-scores, ranking))
        return Rankings(offsets, item[order], gain[order], shopper)

    @property
    def exposure(self) -> Array:
        """Of each row, (R,): 0 behind DEPTH."""
        sizes = np.diff(self.offsets)
        place = np.arange(len(self.item)) - np.repeat(self.offsets[:-1], sizes)
        return np.where(place < DEPTH, 1.0 / np.log2(place + 2.0), 0.0)

    def sums(self, values: Array, group: npt.NDArray[np.int64], n_groups: int) -> Array:
        """`values` (R,) added up by ranking and group of the row, (n, n_groups); -1 is in none."""
        ranking = np.repeat(np.arange(len(self.shopper)), np.diff(self.offsets))
        known = group >= 0
        key = ranking[known] * n_groups + group[known]
        size = len(self.shopper) * n_groups
        found: Array = np.bincount(key, values[known], size).astype(np.float64)
        return found.reshape(-1, n_groups)


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GroupExposure:
    """Of one group of items, as shares of all groups.

    parity: exposure over what was on offer; of_relevance: exposure over what was wanted; 1 is even
    """

    name: str
    offered: float
    wanted: float
    exposure: Interval
    parity: Interval
    of_relevance: Interval


@dataclass(frozen=True, slots=True)
class Exposure:
    """Over all groups of one kind; awrf: mean over rankings, 1 = as on offer."""

    kind: str
    groups: tuple[GroupExposure, ...]
    awrf: Interval


def exposure(
    kind: str, rankings: Rankings, group: npt.NDArray[np.int64], names: tuple[str, ...]
) -> Exposure:
    """By `group` (R,), the place of each row's group in `names`; -1: unknown, counts nowhere."""
    n = len(names)
    shown = rankings.sums(rankings.exposure, group, n)
    offered = rankings.sums(np.ones(len(group)), group, n)
    wanted = rankings.sums(rankings.gain.astype(np.float64), group, n)
    drawn = _draws(rankings.shopper)
    by_shopper = [_by_shopper(each, rankings.shopper) for each in (shown, offered, wanted)]
    resampled = [drawn @ each for each in by_shopper]
    share, of_offer, of_wanted = (_shares(each.sum(axis=0)) for each in by_shopper)
    shares, offers, wants = (_shares(each) for each in resampled)
    groups = tuple(
        GroupExposure(
            name,
            float(of_offer[g]),
            float(of_wanted[g]),
            _interval(share[g], shares[:, g]),
            _interval(_ratio(share[g], of_offer[g]), _ratio(shares[:, g], offers[:, g])),
            _interval(_ratio(share[g], of_wanted[g]), _ratio(shares[:, g], wants[:, g])),
        )
        for g, name in enumerate(names)
    )
    awrf = 1.0 - _divergence(_shares(shown), _shares(offered))
    return Exposure(kind, groups, mean_interval(awrf, rankings.shopper))


@dataclass(frozen=True, slots=True)
class Spread:
    """How widely exposure is spread.

    coverage: share of the items on offer that stood in the first DEPTH places at least once;
    gini: of exposure over these items, 0 = all alike, 1 = one has all
    """

    items: int
    coverage: float
    gini: float


def spread(rankings: Rankings) -> Spread:
    """Over all items that were on offer."""
    rows, place = np.unique(rankings.item, return_inverse=True)
    total = np.sort(np.bincount(place, rankings.exposure, len(rows)))
    cumulated = np.cumsum(total) / max(total.sum(), 1e-12)
    gini = 1.0 + 1.0 / len(rows) - 2.0 * cumulated.sum() / len(rows)
    return Spread(len(rows), float((total > 0).mean()), float(gini))


def ndcg(rankings: Rankings) -> Array:
    """NDCG@DEPTH of each ranking, (n,); NaN where nothing is wanted."""
    place, found = exposure_of(DEPTH), np.full(len(rankings.shopper), np.nan)
    for index, (start, end) in enumerate(pairwise(rankings.offsets)):
        gain = rankings.gain[start:end]
        best = np.sort(gain)[::-1][:DEPTH]
        if gain.any():
            got = float(gain[:DEPTH] @ place[: len(gain[:DEPTH])])
            found[index] = got / float(best @ place[: len(best)])
    return found


@dataclass(frozen=True, slots=True)
class GroupQuality:
    """NDCG@10 of one group of shoppers, and how far it is from that of all others of its kind."""

    name: str
    shoppers: int
    rankings: int
    ndcg: Interval
    apart: Interval


def quality_by_group(
    values: Array, shopper: RowArray, group: npt.NDArray[np.int64], names: tuple[str, ...]
) -> tuple[GroupQuality, ...]:
    """values, shopper, group: of each ranking, (n,); -1 is in no group."""
    known = np.isfinite(values) & (group >= 0)
    values, shopper, group = values[known], shopper[known], group[known]
    drawn = _draws(shopper)
    told = []
    for g, name in enumerate(names):
        own = group == g
        if not own.any() or own.all():
            continue
        sums = [
            _by_shopper(np.stack([np.where(part, values, 0.0), part], axis=1), shopper)
            for part in (own, ~own)
        ]
        mine, others = (_ratio(*each.sum(axis=0)) for each in sums)
        of_mine, of_others = (_ratio(*(drawn @ each).T) for each in sums)
        told.append(
            GroupQuality(
                name, len(np.unique(shopper[own])), int(own.sum()), _interval(mine, of_mine),
                _interval(mine - others, of_mine - of_others),
            )
        )  # fmt: skip
    return tuple(told)


def mean_interval(values: Array, shopper: RowArray) -> Interval:
    """The mean of (n,) values of rankings; NaN counts nowhere."""
    known = np.isfinite(values)
    sums = np.stack([np.where(known, values, 0.0), known], axis=1)
    by_shopper = _by_shopper(sums, shopper)
    return _interval(_ratio(*by_shopper.sum(axis=0)), _ratio(*(_draws(shopper) @ by_shopper).T))


def _draws(shopper: RowArray) -> Array:
    """How often each shopper is drawn in each resample, (N_BOOTSTRAP, shoppers)."""
    n = len(np.unique(shopper))
    drawn = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), N_BOOTSTRAP)
    return drawn.astype(np.float64)


def _by_shopper(values: Array, shopper: RowArray) -> Array:
    """Rows of rankings added up by shopper, (shoppers, columns)."""
    _, place = np.unique(shopper, return_inverse=True)
    out = np.zeros((int(place.max()) + 1, values.shape[1]))
    np.add.at(out, place, values)
    return out


def _interval(value: npt.ArrayLike, resampled: Array) -> Interval:
    known = resampled[np.isfinite(resampled)]  # of a group that was on offer nowhere, nothing
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    return Interval(float(np.asarray(value)), float(low), float(high))


def _shares(values: Array) -> Array:
    return _ratio(values, values.sum(axis=-1, keepdims=True))


def _ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Array:
    """NaN over nothing."""
    over, under = np.asarray(above, np.float64), np.asarray(below, np.float64)
    ratio: Array = np.where(under > 0, over / np.where(under > 0, under, 1.0), np.nan)
    return ratio


def _divergence(one: Array, other: Array) -> Array:
    """Jensen-Shannon, in bits, of rows (n, groups)."""
    middle = (one + other) / 2

    def information(part: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(part > 0, part * np.log2(part / middle), 0.0)
        return np.asarray(each.sum(axis=1), np.float64)

    divergence: Array = (information(one) + information(other)) / 2
    return divergence
