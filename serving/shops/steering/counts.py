"""What arms and shadows did, as counts that add up over replicas and minutes."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping

BOUNDS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0)
PROMOTED = ":"  # before an arm's key: those who are ranked as a promoted arm, which nobody drew
_PART = "|"
Minutes = Mapping[int, Mapping[str, float]]


class Ranked:
    """Rankings of one arm.

    asked: for which the model was meant to be asked; not_loaded: by the version in use instead of
    the arm's; timed, seconds, log, log2: answers of the model, their seconds, the natural
    logarithms of these, and their squares
    """

    __slots__ = (
        "asked", "buckets", "fallbacks", "log", "log2", "not_loaded", "rankings", "seconds",
        "timed",
    )  # fmt: skip

    def __init__(self, counts: Mapping[str, float] | None = None) -> None:
        """counts: as `counts` gives them."""
        self.rankings = self.asked = self.fallbacks = self.not_loaded = 0.0
        self.timed = self.seconds = self.log = self.log2 = 0.0
        self.buckets = [0.0] * (len(BOUNDS_S) + 1)
        if counts is not None:
            self.add(counts)

    def answered(self, seconds: float) -> None:
        """Count an answer of the model."""
        log = math.log(max(seconds, 1e-6))
        self.timed += 1
        self.seconds += seconds
        self.log += log
        self.log2 += log * log
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1

    @property
    def counts(self) -> dict[str, float]:
        """By name, without zeros."""
        named = {name: getattr(self, name) for name in _NAMES}
        named |= {f"b{number}": count for number, count in enumerate(self.buckets)}
        return {name: value for name, value in named.items() if value}

    def add(self, counts: Mapping[str, float]) -> None:
        """Take in what `counts` gave."""
        for name, value in counts.items():
            if name in _NAMES:
                setattr(self, name, getattr(self, name) + value)
            elif name[1:].isdigit() and int(name[1:]) < len(self.buckets):
                self.buckets[int(name[1:])] += value

    @property
    def mean_s(self) -> float | None:
        """Of the model's answers."""
        return self.seconds / self.timed if self.timed else None

    def quantile_s(self, q: float) -> float | None:
        """Of the model's answers, within its bucket as if they were spread evenly there."""
        wanted, below = q * self.timed, 0.0
        for number, count in enumerate(self.buckets):
            if count and below + count >= wanted:
                start = BOUNDS_S[number - 1] if number else 0.0
                end = BOUNDS_S[number] if number < len(BOUNDS_S) else 2 * BOUNDS_S[-1]
                return start + (end - start) * (wanted - below) / count
            below += count
        return None


_NAMES = frozenset(Ranked.__slots__) - {"buckets"}


def field(epoch_ms: int, arm: str, name: str) -> str:
    """The tally's name of one count."""
    return _PART.join((str(epoch_ms), arm, name))


def by_arm(minutes: Minutes, since_minute: int, epoch_ms: int | None = None) -> dict[str, Ranked]:
    """The arms from `since_minute` on. epoch_ms: only what was counted under that decision."""
    found: dict[str, Ranked] = {}
    for epoch, arm, name, value in _parts(minutes, since_minute):
        if arm and (epoch_ms is None or epoch == str(epoch_ms)):
            found.setdefault(arm, Ranked()).add({name: value})
    return found


def of_shadow(minutes: Minutes, since_minute: int) -> dict[str, float]:
    """The sums of a shadow: `outcome:...`, and `overlap` of those that are ok."""
    found: dict[str, float] = {}
    for _, arm, name, value in _parts(minutes, since_minute):
        if not arm:
            found[name] = found.get(name, 0.0) + value
    return found


def _parts(minutes: Minutes, since_minute: int) -> Iterable[tuple[str, str, str, float]]:
    for minute, counts in minutes.items():
        if minute >= since_minute:
            for name, value in counts.items():
                epoch, _, rest = name.partition(_PART)
                arm, _, what = rest.partition(_PART)
                yield epoch, arm, what, value
