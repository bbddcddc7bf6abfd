"""How many candidates the ranker can score in the time that is left: learnt from its answers."""

import math
import sys
import time
from collections.abc import Callable

_HALF_LIFE_S = 3.0  # of an answer's weight: a burst is over in seconds
_ENOUGH = 0.1  # weight of answers below which nothing is known any more
_CALM = 1.5  # times as long as expected: few answers take longer


class LatencyEstimate:
    """A line, fixed time plus time for each candidate, through the answers of the last seconds.

    An answer's time is all that the caller waited: queue, hop and model. Of one event loop.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at_s = 0.0
        # Weighted sums of 1, rows, seconds, rows squared, rows times seconds.
        self._sums: tuple[float, ...] = (0.0,) * 5

    def answered(self, rows: int, spent_s: float) -> None:
        """Note that `rows` candidates took `spent_s`."""
        seen = (1.0, rows, spent_s, rows * rows, rows * spent_s)
        self._sums = tuple(old + new for old, new in zip(self._faded(), seen, strict=True))
        self._at_s = self._clock()

    def timed_out(self, rows: int, waited_s: float) -> None:
        """Note that `rows` candidates had no answer in `waited_s`: twice that is a guess."""
        line = self._line()
        expected_s = 0.0 if line is None else line[0] + line[1] * rows
        self.answered(rows, max(2 * waited_s, expected_s))

    def rows_within(self, budget_s: float) -> int:
        """How many candidates can be asked for; no limit while nothing is known."""
        line = self._line()
        if line is None:
            return sys.maxsize
        fixed_s, per_row_s = line
        return max(math.floor((budget_s / _CALM - fixed_s) / per_row_s), 0)

    def _line(self) -> tuple[float, float] | None:
        """Seconds that an answer takes at least, and for each candidate."""
        weight, rows, seconds, squares, products = self._faded()
        if weight < _ENOUGH:
            return None
        variance = squares - rows * rows / weight
        if variance > weight:  # of more than a row: sizes differ
            per_row_s = (products - rows * seconds / weight) / variance
            fixed_s = (seconds - per_row_s * rows) / weight
            if per_row_s > 0 and fixed_s > 0:
                return fixed_s, per_row_s
        return 0.0, seconds / rows

    def _faded(self) -> tuple[float, ...]:
        fade = 0.5 ** ((self._clock() - self._at_s) / _HALF_LIFE_S)
        return tuple(fade * value for value in self._sums)
