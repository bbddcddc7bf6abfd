"""One connection to NATS for the threads of a process.

The client knows one event loop, and the log is called from many threads: the loop has a thread of
its own, and calls wait for it.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.errors import (
    ConnectionClosedError,
    NoRespondersError,
    NoServersError,
    OutboundBufferLimitError,
    StaleConnectionError,
)
from nats.js.errors import ServiceUnavailableError

from features.events.nats.settings import NatsSettings

_T = TypeVar("_T")
_RECONNECT_S = 0.25
_AWAY = (
    ConnectionClosedError,
    NoRespondersError,  # a stream whose leader is being chosen
    OutboundBufferLimitError,
    ServiceUnavailableError,
    StaleConnectionError,
)
_log = logging.getLogger(__name__)


class NatsConnection:
    """Connects by itself, and again when the server was away; `prepare` runs on each of them."""

    def __init__(
        self, settings: NatsSettings, prepare: Callable[[Client], Awaitable[None]]
    ) -> None:
        self._settings, self._prepare = settings, prepare
        self._client = Client()
        self._told = ""
        self._loop = asyncio.new_event_loop()
        self._ready = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()
        self._connecting = asyncio.run_coroutine_threadsafe(self._connect(), self._loop)

    def call(self, work: Callable[[Client], Awaitable[_T]], timeout_s: float | None = None) -> _T:
        """What `work` returns.

        timeout_s: when it is not the one of the settings. Raises TimeoutError or ConnectionError
        when there is no server, or no answer in time.
        """
        waiting = self._do(work, timeout_s or self._settings.timeout_s)
        return asyncio.run_coroutine_threadsafe(waiting, self._loop).result()

    def close(self) -> None:
        """Give the connection back."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _do(self, work: Callable[[Client], Awaitable[_T]], timeout_s: float) -> _T:
        async with asyncio.timeout(timeout_s):
            # What is sent to a server that is away would be kept, and be written when the caller
            # has long given up.
            await self._ready.wait()
            try:
                return await work(self._client)
            except _AWAY as error:
                raise ConnectionError("NATS does not answer") from error

    async def _connect(self) -> None:
        # Fractions of a second, where the client says that it wants whole ones.
        times: dict[str, Any] = {
            "reconnect_time_wait": _RECONNECT_S, "connect_timeout": self._settings.timeout_s,
        }  # fmt: skip
        await self._client.connect(
            **self._settings.client_options(),
            **times,
            name="vitrine",
            max_reconnect_attempts=-1,
            error_cb=self._failed,
            disconnected_cb=self._away,
            reconnected_cb=self._prepared,
        )
        await self._prepared()

    async def _prepared(self) -> None:
        while self._client.is_connected:
            try:
                await self._prepare(self._client)
            except Exception as error:  # a server that is starting has no JetStream yet
                await self._failed(error)
                await asyncio.sleep(_RECONNECT_S)
            else:
                self._told = ""
                self._ready.set()
                return

    async def _end(self) -> None:
        self._connecting.cancel()
        await self._client.close()
        own = asyncio.current_task()
        # More than once: `wait_for` of Python 3.11 loses a cancellation that meets an answer, and
        # whoever waits here would wait for a client that tries for ever.
        while left := [task for task in asyncio.all_tasks() if task is not own]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=_RECONNECT_S)

    async def _away(self) -> None:
        self._ready.clear()

    async def _failed(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._told and not isinstance(error, NoServersError):
            _log.warning("NATS: %s; trying again", said)
            self._told = said
