"""Whether a count is a rise: against its baseline, at a rate of false alarms that is set.

A count is negative binomial around its forecast. Two tests share the rate of a window: the window
alone, and it with the one before. What fires stays so until the label is calm for two windows.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from scipy.special import betainc, gammainc

from serving.shops.alerts.baseline import Baseline, Expected, Window

WINDOWS_A_MONTH = {Window.HOUR: 730.5, Window.DAY: 30.44}
_ADOPTED_AFTER = {Window.HOUR: 7 * 24, Window.DAY: 14}  # windows: what lasts is the new normal
_CALM = 0.05  # chance of a count, above which it is usual
_CALM_WINDOWS = 2
_SILENT = 5.0  # expected, and yet not one text of any label: the stream was away
_TESTS = 2
_MARGIN = 0.8  # of the chance: tails of real noise are heavier than a negative binomial's
_FOUND = 0.9


class State(StrEnum):
    """Of an alert."""

    LEARNING = "learning"
    CALM = "calm"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Criterion:
    """How rare a window must be, and how large the rise.

    chance: of a false alarm in a window; rise: the least one, 0.2 = a fifth more than expected
    """

    window: Window
    chance: float
    rise: float = 0.2

    @classmethod
    def of(cls, window: Window, false_a_month: float, alerts: int, rise: float) -> "Criterion":
        """false_a_month: of all `alerts` together, each of which has its part."""
        return cls(window, _MARGIN * false_a_month / alerts / WINDOWS_A_MONTH[window], rise)

    def rises(
        self, count: float, before: float | None, one: Expected, two: Expected | None
    ) -> bool:
        """before: what the window before counted, which is in `two`."""
        limit = self.chance / _TESTS
        if count >= one.mean * (1 + self.rise) and chance_of(count, one) <= limit:
            return True
        if two is None or before is None:
            return False
        both = count + before
        return both >= two.mean * (1 + self.rise) and chance_of(both, two) <= limit

    def found_from(self, one: Expected, two: Expected | None) -> float:
        """The smallest rise that 9 of 10 times is found within two windows: 0.5 = half as much
        again; inf: not even twenty times as much."""
        low, high = 0.0, 20.0
        if self._power(high, one, two) < _FOUND:
            return math.inf
        while high - low > 0.005:
            middle = (low + high) / 2
            if self._power(middle, one, two) < _FOUND:
                low = middle
            else:
                high = middle
        return high

    def _power(self, rise: float, one: Expected, two: Expected | None) -> float:
        """At least: of one test of both windows, or of the other of their sum."""
        once = _above(self.needed(one), one, rise)
        both = 0.0 if two is None else _above(self.needed(two), two, rise)
        return max(1 - (1 - once) ** 2, both)

    def needed(self, expected: Expected) -> float:
        """The least count of one window that fires."""
        low = math.floor(expected.mean * (1 + self.rise))
        high = max(2.0 * low, 8.0)
        limit = self.chance / _TESTS
        while chance_of(high, expected) > limit:
            high *= 2
        while high - low > 1:
            middle = math.floor((low + high) / 2)
            if chance_of(middle, expected) <= limit:
                high = middle
            else:
                low = middle
        return float(high)


def _above(needed: float, expected: Expected, rise: float) -> float:
    return chance_of(needed, replace(expected, mean=expected.mean * (1 + rise)))


def chance_of(count: float, expected: Expected) -> float:
    """Of as many or more."""
    if count <= 0:
        return 1.0
    mean, dispersion = max(expected.mean, 1e-9), expected.dispersion
    if dispersion < 1e-6:
        return float(gammainc(count, mean))
    more = dispersion * mean
    return float(betainc(count, 1 / dispersion, more / (1 + more)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one window. expected, chance: None while there is too little history."""

    state: State
    count: float
    expected: float | None = None
    chance: float | None = None
    changed: bool = False


class Judge:
    """One label of one stream, fed window by window. Windows of a rise teach it nothing, unless
    the rise lasts so long that it is the new normal."""

    def __init__(self, criterion: Criterion) -> None:
        self._criterion = criterion
        self._baseline = Baseline(criterion.window)
        self._state = State.LEARNING
        self._calm = 0
        self._held: list[tuple[int, float | None]] = []  # windows since it fires

    @property
    def state(self) -> State:
        """After the last window."""
        return self._state

    @property
    def learnt(self) -> float:
        """See Baseline."""
        return self._baseline.learnt

    def see(self, slot: int, count: float, texts: float) -> Verdict:
        """A window that is over. slot: of the week; texts: of all labels, in this window."""
        mean = self._baseline.mean(slot)
        silent = texts == 0 and mean is not None and mean >= _SILENT
        one = self._baseline.expected(slot)
        if one is None or silent:
            if self._state is State.FIRING:
                self._hold(slot, None)
            self._baseline.add(slot, None if silent else count)
            return Verdict(self._state, count, mean)
        before = self._state
        if before is State.FIRING:
            self._go_on(slot, count, one)
        else:
            self._look(slot, count, one)
        return Verdict(
            self._state, count, one.mean, chance_of(count, one),
            changed=before is not self._state and State.FIRING in (before, self._state),
        )  # fmt: skip

    def found_from(self, slot: int) -> float | None:
        """See Criterion.found_from, of the next window; None while there is too little history."""
        one = self._baseline.expected(slot)
        if one is None:
            return None
        two = self._baseline.expected_two(slot)
        return self._criterion.found_from(one, two[0] if two else None)

    def _look(self, slot: int, count: float, one: Expected) -> None:
        both, before = self._baseline.expected_two(slot) or (None, None)
        self._calm = 0
        if self._criterion.rises(count, before, one, both):
            self._state = State.FIRING
            self._hold(slot, count)
            self._baseline.add(slot, None, min(count, self._criterion.needed(one)))
        else:
            self._state = State.CALM
            self._baseline.add(slot, count)

    def _go_on(self, slot: int, count: float, one: Expected) -> None:
        usual = chance_of(count, one) > _CALM
        self._calm = self._calm + 1 if usual else 0
        self._hold(slot, count)
        self._baseline.add(slot, count if usual else None)
        if self._calm >= _CALM_WINDOWS:
            self._state, self._held = State.CALM, []
        elif len(self._held) >= _ADOPTED_AFTER[self._criterion.window]:
            held, self._held, self._state = self._held, [], State.CALM
            self._baseline.adopt(held)

    def _hold(self, slot: int, count: float | None) -> None:
        self._held.append((slot, count))
