"""An ASGI application on a port of this machine, for what speaks HTTP only."""

import asyncio
import threading
from typing import Any

import uvicorn

from serving.local.machine import free_port
from tests.support.live_shop import wait_until


class Served:
    """Answers at `url` until it is stopped; it may be started again."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Let it answer."""
        config = uvicorn.Config(
            self._app, port=self.port, log_config=None, lifespan="off", interface="asgi3"
        )
        self._server = uvicorn.Server(config)
        self._serving = threading.Thread(target=asyncio.run, args=(self._server.serve(),))
        self._serving.start()
        wait_until(lambda: self._server.started)

    def stop(self) -> None:
        """Nobody answers on the port any more."""
        self._server.should_exit = True
        self._serving.join()
