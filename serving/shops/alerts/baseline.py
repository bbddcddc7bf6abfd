"""What the count of a window is expected to be, from the windows before it.

Level times season. The season is a factor for each slot of a week, learnt anew each week from the
last ones and drawn towards hour of day times day of week as far as noise explains the difference.
The level follows with a half-life. How far counts scatter around that is measured on forecasts
that were made before the count was known, so what the forecast itself does not know is in it.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from features.arrays import DoubleArray, LongArray

_DAY = 24
_SEASON_WEEKS = 8


class Window(StrEnum):
    """Over how long texts are counted."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a baseline of one kind of window learns; all in windows.

    week: slots of the season; half_life: of the level; fit_after: the first season; ready_after:
    the first verdict; scatter: how many forecasts tell it
    """

    week: int
    half_life: float
    fit_after: int
    ready_after: int
    scatter: int


PACES = {
    Window.HOUR: Pace(168, 48.0, 2 * 168, 4 * 168, 8 * 168),
    Window.DAY: Pace(7, 14.0, 4 * 7, 8 * 7, 26 * 7),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """A forecast of one window, or of the sum of two: variance = mean + dispersion * mean ** 2."""

    mean: float
    dispersion: float


class Baseline:
    """Fed window by window, in order of time."""

    def __init__(self, window: Window) -> None:
        self._pace = PACES[window]
        self._slots: deque[int] = deque(maxlen=_SEASON_WEEKS * self._pace.week)
        self._counts: deque[float] = deque(maxlen=_SEASON_WEEKS * self._pace.week)
        self._season: DoubleArray | None = None
        self._decay = 0.5 ** (1 / self._pace.half_life)
        self._counted = self._usual = 0.0  # both fade: their ratio is the level
        self._seen = self._fitted_at = 0
        self._one = _Scatter(self._pace.scatter)
        self._two = _Scatter(self._pace.scatter)
        self._before: tuple[float, float] | None = None  # the last window: count, forecast

    @property
    def learnt(self) -> float:
        """How much of the history that a verdict needs is there: 1 = all."""
        return min(1.0, self._seen / self._pace.ready_after)

    def mean(self, slot: int) -> float | None:
        """The forecast of the next window, at `slot` of the week; None: too early."""
        if self._season is None or self._usual <= 0:
            return None
        return float(self._season[slot]) * self._counted / self._usual

    def expected(self, slot: int) -> Expected | None:
        """The next window; None while there is too little history for a verdict."""
        mean = self.mean(slot)
        if mean is None or self._seen < self._pace.ready_after or not self._one.known:
            return None
        return Expected(mean, self._one.dispersion)

    def expected_two(self, slot: int) -> tuple[Expected, float] | None:
        """The next window and the one before it as a sum, and what the latter counted.

        None when the one before is not known.
        """
        mean = self.mean(slot)
        if mean is None or self._before is None or not self._two.known:
            return None
        count, forecast = self._before
        return Expected(mean + forecast, self._two.dispersion), count

    def add(self, slot: int, count: float | None, at_most: float | None = None) -> None:
        """Learn a window. None: it is not known, or not usual, and teaches no level or season.

        at_most: what an unusual one teaches of the scatter: without it, chance would seem smaller
        after each false alarm, and the next one come sooner
        """
        self._seen += 1
        mean = self.mean(slot)
        if count is None and at_most is not None and mean is not None:
            self._one.add(at_most, mean)
        if count is not None and mean is not None:
            self._one.add(count, mean)
            if self._before is not None:
                self._two.add(count + self._before[0], mean + self._before[1])
            self._before = (count, mean)
        else:
            self._before = None
        self._slots.append(slot)
        self._counts.append(math.nan if count is None else count)
        if self._season is not None and count is not None:
            self._counted = self._counted * self._decay + count
            self._usual = self._usual * self._decay + float(self._season[slot])
        due = self._fitted_at + self._pace.week if self._fitted_at else self._pace.fit_after
        if self._seen >= due:
            self._fit()

    def adopt(self, windows: Sequence[tuple[int, float | None]]) -> None:
        """Take the last windows, which taught nothing, for the new normal: the level is theirs, and
        what was counted before is lifted to it, so that it goes on telling the season.

        windows: (slot, count) of the last ones, in order; None: not known
        """
        known = [(slot, count) for slot, count in windows if count is not None]
        if self._season is None or not self._usual or not self._counted or not known:
            return
        usual = sum(float(self._season[slot]) for slot, _ in known)
        level = sum(count for _, count in known) / usual
        lift = level / (self._counted / self._usual)
        before = [count * lift for count in list(self._counts)[: -len(windows)]]
        held = [math.nan if count is None else count for _, count in windows]
        self._counts = deque([*before, *held], self._counts.maxlen)
        self._counted, self._usual = level * usual, usual
        self._before = None

    def _fit(self) -> None:
        self._fitted_at = self._seen
        slots = np.array(self._slots)
        counts = np.array(self._counts)
        known = np.isfinite(counts)
        season = season_of(slots[known], counts[known], self._pace.week)
        if season is None:
            return
        # The level anew, by this season: the old factors told another one.
        age = np.arange(len(counts) - 1, -1, -1)[known]
        weight = self._decay**age
        self._counted = float(weight @ counts[known])
        self._usual = float(weight @ season[slots[known]])
        self._season = season


def season_of(slots: LongArray, counts: DoubleArray, week: int) -> DoubleArray | None:
    """Factors (week,) around 1 of known windows (n,); None where nothing was counted."""
    n: DoubleArray = np.bincount(slots, minlength=week).astype(np.float64)
    total: DoubleArray = np.bincount(slots, counts, minlength=week).astype(np.float64)
    if total.sum() <= 0:
        return None
    mean = total.sum() / n.sum()
    usual = _by_hour_and_day(n, total, mean) if week > 7 else np.ones(week)
    usual = np.maximum(usual, 1e-3)
    own = np.divide(total, n * mean * usual, out=np.ones(week), where=n > 0)
    scatter = (counts / mean / usual[slots] - own[slots]) ** 2
    noise = scatter.sum() / max(1.0, len(counts) - np.count_nonzero(n))  # of one window
    seen = n > 0
    differs = float(np.mean((own[seen] - 1) ** 2) - np.mean(noise / n[seen]))
    trust = np.zeros(week)
    if differs > 0:
        trust[seen] = n[seen] / (n[seen] + noise / differs)
    factors: DoubleArray = usual * (1 + trust * (own - 1))
    shares: DoubleArray = factors / factors.mean()
    return shares


def _by_hour_and_day(n: DoubleArray, total: DoubleArray, mean: float) -> DoubleArray:
    by_slot, seen = total.reshape(-1, _DAY), n.reshape(-1, _DAY)

    def factor(axis: int) -> DoubleArray:
        windows = seen.sum(axis=axis)
        factors: DoubleArray = np.divide(
            by_slot.sum(axis=axis), windows * mean, out=np.ones(len(windows)), where=windows > 0
        )
        return factors

    product: DoubleArray = np.outer(factor(1), factor(0)).ravel()
    return product


class _Scatter:
    """The dispersion of counts around forecasts, of the last ones."""

    def __init__(self, remembered: int) -> None:
        self._parts: deque[tuple[float, float]] = deque(maxlen=remembered)
        self._over = self._squares = 0.0

    @property
    def known(self) -> bool:
        """Whether there are forecasts enough to tell."""
        return len(self._parts) >= 28

    @property
    def dispersion(self) -> float:
        """By moments, and as much more as so few forecasts may have missed."""
        measured = max(0.0, self._over / self._squares) if self._squares > 0 else 0.0
        return measured * (1 + 2 * math.sqrt(2 / len(self._parts)))

    def add(self, count: float, mean: float) -> None:
        """Learn one forecast."""
        if len(self._parts) == self._parts.maxlen:
            over, square = self._parts[0]
            self._over -= over
            self._squares -= square
        part = ((count - mean) ** 2 - mean, mean * mean)
        self._parts.append(part)
        self._over += part[0]
        self._squares += part[1]
