"""Work that waits for a disk, in threads: the event loop never does."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from features.full import AWAY, StoreFullError
from serving.errors import LogFullError, OverloadedError, ShopOpeningError, StoreAwayError

_T = TypeVar("_T")
ROOM_AGAIN_S = 10.0  # the log is trimmed every few seconds
AWAY_S = 2.0  # a server that is started again answers soon


class WaitingRoom:
    """Threads for one store. More than `max_waiting` pieces of work at a time are refused at once:
    a full disk must not fill the memory, too.
    """

    def __init__(self, name: str, n_threads: int, max_waiting: int) -> None:
        self._name = name
        self._max_waiting = max_waiting
        self._waiting = 0
        self._closed = False
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix=name)

    async def do(self, work: Callable[[], _T]) -> _T:
        """What `work` returns; raises OverloadedError when too much is under way, LogFullError when
        there is no room for what it writes, StoreAwayError when the store does not answer,
        ShopOpeningError when the shop was removed, or opened anew long ago.
        """
        if self._closed:
            raise ShopOpeningError("the shop is closed here", 1)
        if self._waiting >= self._max_waiting:
            raise OverloadedError(f"too much waits for the {self._name}", 1)
        self._waiting += 1
        working = asyncio.get_running_loop().run_in_executor(self._threads, work)
        working.add_done_callback(self._done)
        # A caller that leaves takes nothing back; the work counts as waiting until it is done.
        try:
            return await asyncio.shield(working)
        except StoreFullError as error:
            raise LogFullError(f"the {self._name} is full", ROOM_AGAIN_S) from error
        except AWAY as error:
            raise StoreAwayError(f"the {self._name} does not answer", AWAY_S) from error

    def close(self) -> None:
        """Take no more work; what is under way ends."""
        self._closed = True
        self._threads.shutdown(wait=False)

    def _done(self, working: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        if not working.cancelled():
            working.exception()  # it is seen, whether or not the caller still waits
