"""How fast a key, an address or a shop goes."""

import time
from collections.abc import Callable

_MIN_KEPT = 10_000


class Rates:
    """How fast each key goes, and what is too fast: the generic cell rate algorithm (ITU-T I.371).

    A key may spend a second's worth at once. Of a key one number is kept, until it says nothing any
    more. (The library `limits` starts a thread for every hit: a tenth of the ingress's time.)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_s: dict[str, float] = {}  # when a key that went at its rate would be due again
        self._full = _MIN_KEPT  # addresses come without end: at so many, look for what is over

    def hit(self, key: str, rate_per_s: int) -> float:
        """Count one request; 0, or the seconds after which it may come again: then it is not
        counted.
        """
        now_s = self._clock()
        due_s = max(self._due_s.get(key, now_s), now_s)
        wait_s = due_s + 1 / rate_per_s - 1.0 - now_s
        if wait_s > 1e-9:  # sums of thirds and tenths are not exact
            return wait_s
        self._due_s[key] = due_s + 1 / rate_per_s
        if len(self._due_s) > self._full:
            self._due_s = {each: due_s for each, due_s in self._due_s.items() if due_s > now_s}
            self._full = max(_MIN_KEPT, 2 * len(self._due_s))
        return 0.0

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._due_s)
