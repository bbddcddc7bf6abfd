"""Metrics of what was ranked, and of what was seen: after the answer, on the recorder's thread."""

from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.behavior.matrix import COLUMN
from features.telemetry.ingest_metrics import VersionLabel
from serving.ranking.slate.held import Held
from serving.ranking.values import Slate
from serving.shops.shop import Shop
from serving.telemetry.exposure_metrics import (
    EXPOSURE,
    FLOOR_EXPOSURE,
    FLOOR_NDCG,
    FLOOR_RANKINGS,
    FLOORS,
    NEW_DAYS,
    OWED,
)
from serving.telemetry.metrics import (
    KENDALL_DISTANCE,
    MODEL_RANKINGS,
    MODEL_VERSION,
    SCORE_DRIFT,
    TOP_SCORE,
)
from serving.telemetry.text_metrics import OTHER
from serving.types import Route

WINDOW = 1_000  # top scores on either side of the comparison
_BINS = 10
DEPTH = 10
_WORTH = 1.0 / np.log2(np.arange(2, DEPTH + 2))
_AGE, _NEW = COLUMN["item_age_days"], np.log1p(NEW_DAYS)


class RankingMetrics:
    """Watches slates go by. Not thread-safe: one thread feeds it."""

    def __init__(self, window: int = WINDOW) -> None:
        self._drift = ScoreDrift(window)
        self._versions = VersionLabel()

    def observe(self, shop: str, slates: list[Slate]) -> None:
        """Count `slates` of a shop."""
        count_exposure(shop, slates)
        for slate in slates:
            if len(slate.order) == 0:
                continue
            top = float(slate.scores.values[slate.order[0]])
            TOP_SCORE.labels(route=slate.route).observe(top)
            KENDALL_DISTANCE.labels(route=slate.route).observe(kendall_distance(slate.order))
            version = slate.scores.model_version
            # Of the version in use alone: two that take turns would begin the comparison anew.
            usual = slate.assignment.model_version is None and slate.teams is None
            if slate.route is Route.MODEL and version is not None:
                MODEL_RANKINGS.labels(model_version=self._versions.of(version)).inc()
            if slate.route is Route.MODEL and version is not None and usual:
                self._observe_version(version, top)

    def _observe_version(self, version: str, top: float) -> None:
        if version.isdecimal():
            MODEL_VERSION.set(int(version))
        drift = self._drift.add(version, top)
        if drift is not None:
            SCORE_DRIFT.set(drift)


class ScoreDrift:
    """Population stability index of a version's last `window` scores against its first ones.

    Begins anew with every version: two models' scores are not on one scale.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._version: str | None = None
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=window)
        self._since = 0

    def add(self, version: str, score: float) -> float | None:
        """The index, once a window after the first window is full; else None."""
        if version != self._version:
            self._version, self._first, self._since = version, [], 0
            self._last.clear()
        if len(self._first) < self._window:
            self._first.append(score)
            return None
        self._last.append(score)
        self._since += 1
        # A tenth of a window changes little; sorting it each time would cost more than it tells.
        if len(self._last) < self._window or self._since % max(self._window // 10, 1):
            return None
        return stability_index(np.array(self._first), np.array(self._last))


def stability_index(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> float:
    """Population stability index over the deciles of `before`: sum of (q - p) * ln(q / p).

    Under 0.1 nothing has moved, over 0.25 the population is another one (Siddiqi, 2006).
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1]))
    p, q = (
        (np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1) + 0.5)
        / (len(scores) + 0.5 * (len(edges) + 1))
        for scores in (before, after)
    )
    return float(((q - p) * np.log(q / p)).sum())


def kendall_distance(order: npt.NDArray[np.int64]) -> float:
    """Share of pairs of `order` (indices into the candidates as asked) that were turned round."""
    n = len(order)
    if n < 2:
        return 0.0
    # All pairs at once: for a hundred items a fourteenth of the time of scipy's kendalltau.
    turned = np.count_nonzero((order[:, None] > order[None, :]) & _pairs(n))
    return turned / (n * (n - 1) / 2)


@lru_cache(4)  # a shop asks with one size or a few; of a thousand items, a MiB
def _pairs(n: int) -> npt.NDArray[np.bool_]:
    """Of places (n, n), each pair once."""
    return np.triu(np.ones((n, n), bool), 1)


class ByAge(NamedTuple):
    """Exposure by the items' age, (3,) each: new, older, unknown."""

    shown: npt.NDArray[np.float64]
    offered: npt.NDArray[np.float64]


def count_exposure(shop: str, slates: Sequence[Slate]) -> None:
    """Count answered slates of a shop."""
    told = exposure_by_age(slates)
    for age, shown, offered in zip(("new", "older", "unknown"), *told, strict=True):
        EXPOSURE.labels(shop, age, "shown").inc(shown)
        EXPOSURE.labels(shop, age, "offered").inc(offered)
    _count_floors(shop, (held for slate in slates for held in slate.floors))


def exposure_by_age(slates: Iterable[Slate]) -> ByAge:
    """Of the first pages among `slates`, to place DEPTH."""
    shown, offered = np.zeros(3), np.zeros(3)
    for slate in slates:
        top = slate.order[:DEPTH]
        if slate.context.offset or not len(top):
            continue
        age = slate.features.values[:, _AGE]
        group = np.where(np.isnan(age), 2, age > _NEW)
        worth = _WORTH[: len(top)]
        shown += np.bincount(group[top], worth, 3)
        offered += np.bincount(group, minlength=3) * (worth.sum() / len(group))
    return ByAge(shown, offered)


def _count_floors(shop: str, told: Iterable[Held]) -> None:
    for held in told:
        name = FLOORS.of(shop, held.name)
        FLOOR_RANKINGS.labels(*name, held.outcome.value).inc()
        FLOOR_EXPOSURE.labels(*name, "shown").inc(held.shown)
        FLOOR_EXPOSURE.labels(*name, "target").inc(held.target)
        FLOOR_EXPOSURE.labels(*name, "all").inc(held.whole)
        FLOOR_NDCG.labels(*name, "taken").inc(held.lost)
        FLOOR_NDCG.labels(*name, "allowed").inc(held.allowed)
        if name != OTHER:
            OWED.tell(*name, held.owed)


def follow_floors(shops: Iterable[Shop]) -> None:
    """Tell no more what floors are owed that none of `shops` declares, also for a placement or an
    arm of an experiment."""
    declared: set[tuple[str, str]] = set()
    for shop in shops:
        rules = shop.rules
        arms = (arm.rules for experiment in rules.experiments for arm in experiment.arms)
        placed = (placement.rules for placement in rules.placements.values())
        names = [floor.name for floor in rules.floors]
        names += [floor["name"] for each in (*arms, *placed) for floor in each.get("floors", ())]
        declared.update((shop.name, name) for name in names)
    OWED.keep(declared)
