"""A permit before any work: what cannot be answered in time is refused at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from serving.errors import OverloadedError
from serving.ranking.settings import AdmissionSettings
from serving.telemetry.stages import Stages
from serving.types import Stage


class Admission:
    """Few rankings are worked on at once, in the order of their arrival.

    With more, the model's replies wait for the one event loop until all seem late, and a model that
    is well seems to hang.
    """

    def __init__(self, settings: AdmissionSettings) -> None:
        self._settings = settings
        self._ongoing = 0
        self._turns = asyncio.Semaphore(settings.max_concurrent_rankings)

    @property
    def spare(self) -> bool:
        """Whether there is room for work that nobody waits for."""
        return self._ongoing < self._settings.shadow_below

    @asynccontextmanager
    async def turn(self, deadline_s: float, stages: Stages) -> AsyncIterator[None]:
        """The block is this request's turn; raises OverloadedError."""
        if self._ongoing >= self._settings.max_ongoing_rankings:
            raise OverloadedError("too many rankings are under way", 1)
        self._ongoing += 1
        try:
            stages.waited()
            await self._wait(deadline_s, stages)
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._ongoing -= 1

    async def _wait(self, deadline_s: float, stages: Stages) -> None:
        """For half of what is left: the other half is for the work."""
        if not self._turns.locked():
            await self._turns.acquire()
            return
        left_s = deadline_s - time.monotonic()
        try:
            with stages.stage(Stage.WAIT):
                async with asyncio.timeout(left_s / 2):
                    await self._turns.acquire()
        except TimeoutError:
            raise OverloadedError("no turn came in time", 1) from None
