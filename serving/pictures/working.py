"""Work on pictures that is claimed, done side by side, and never ends over one of them."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from features.pictures.store import Row

_LOG = logging.getLogger("vitrine.pictures")


@dataclass(frozen=True, slots=True)
class Work:
    """What is done with the pictures of one shop. `follow` and `claim` ask stores, in threads.

    follow: takes over what changed, each `interval_s`; claim: at most so many, for this process
    alone for a while; look: at one of them; at_once: so many side by side
    """

    follow: Callable[[], None]
    claim: Callable[[int], list[Row]]
    look: Callable[[Row], Awaitable[None]]
    at_once: int
    interval_s: float


async def work_until(stop: asyncio.Event, work: Work) -> None:
    """Until `stop` is set. A store that fails is asked again; what was claimed is due again."""
    looking: set[asyncio.Task[None]] = set()
    followed_s = -math.inf
    while not stop.is_set():
        try:
            if time.monotonic() - followed_s >= work.interval_s:
                await asyncio.to_thread(work.follow)
                followed_s = time.monotonic()
            rows = await asyncio.to_thread(work.claim, work.at_once - len(looking))
            looking |= {asyncio.create_task(_look(work, row)) for row in rows}
        except Exception:
            _LOG.exception("pictures wait: a store failed; trying again")
        # One that is slow holds up no other.
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait(
            {*looking, stopped}, timeout=work.interval_s, return_when=asyncio.FIRST_COMPLETED
        )
        stopped.cancel()
        looking = {task for task in looking if not task.done()}
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)


async def _look(work: Work, row: Row) -> None:
    try:
        await work.look(row)
    except Exception:
        _LOG.exception("a picture waits: a store failed")  # it is due again soon
