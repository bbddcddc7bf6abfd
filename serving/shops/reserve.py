"""What a shop's store still takes when it runs full: what is worth least is refused first.

Purchases and returns are taken until nothing fits: a sale that is not told is lost, an impression
is one of thousands.
"""

import logging
import time
from collections.abc import Callable

from features.events.event import EventType
from features.events.space import LogSpace

_LOG = logging.getLogger("vitrine.reserve")
# Shares of the store's memory, from which on it is refused. The log is trimmed at three quarters.
RANKINGS, GLIMPSES, ALL_ELSE = 0.8, 0.9, 0.95
_GLIMPSES = frozenset({EventType.IMPRESSION, EventType.VIEW, EventType.DWELL})
_TO_THE_LAST = frozenset({EventType.PURCHASE, EventType.RETURN})


class Reserve:
    """Looks at `space` every half second at most; threads may share it.

    A store that does not say how full it is takes everything: the write itself will tell.
    """

    def __init__(
        self,
        space: LogSpace,
        every_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.space = space
        self._every_s, self._clock = every_s, clock
        self._asked_s = -every_s
        self._fill = 0.0

    def takes_rankings(self) -> bool:
        """Whether answered rankings are recorded."""
        return self._taken() < RANKINGS

    def takes_items(self) -> bool:
        """Whether items are added and changed."""
        return self._taken() < ALL_ELSE

    def takes(self, event: EventType) -> bool:
        """Whether events of this type are."""
        if event in _TO_THE_LAST:
            return True
        return self._taken() < (GLIMPSES if event in _GLIMPSES else ALL_ELSE)

    def _taken(self) -> float:
        now_s = self._clock()
        if now_s - self._asked_s >= self._every_s:
            self._asked_s = now_s
            try:
                self._fill = self.space.fill()
            except Exception as error:
                _LOG.warning("the store does not say how full it is: %s", type(error).__name__)
                self._fill = 0.0
        return self._fill
