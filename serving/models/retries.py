"""One more try of a call that may be repeated: after a moment, in time, and not too often.

Not `tenacity`: one retry within a deadline and a budget is shorter than its configuration, and the
call that succeeds, on the hot path, pays nothing.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from serving.errors import ModelUnreachableError
from serving.telemetry.metrics import MODEL_RETRIES

_T = TypeVar("_T")
_SHARE = 0.1  # retries a call: a server that is down for all gets a tenth more load, not twice
_BURST = 10.0
_WAIT_S = (0.005, 0.02)  # by chance, so that callers of one failed server do not return as one
_MIN_LEFT_S = 0.005


class Retries:
    """The retry budget of one connection."""

    def __init__(self, chance: Callable[[float, float], float] = random.uniform) -> None:
        self._chance = chance
        self._allowed = _BURST

    async def call(self, ask: Callable[[float], Awaitable[_T]], budget_s: float) -> _T:
        """What `ask(seconds left)` gives; asks again once if nobody was reached."""
        deadline_s = time.monotonic() + budget_s
        self._allowed = min(self._allowed + _SHARE, _BURST)
        try:
            return await ask(budget_s)
        except ModelUnreachableError:
            wait_s = self._chance(*_WAIT_S)
            if self._allowed < 1 or deadline_s - time.monotonic() - wait_s < _MIN_LEFT_S:
                raise
        self._allowed -= 1
        MODEL_RETRIES.inc()
        await asyncio.sleep(wait_s)
        return await ask(deadline_s - time.monotonic())
