"""The workers of all shops of an installation, in one process: started and ended as shops are."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Protocol

from features.controls.shops import DEFAULT_SHOP, ShopStatus, registered
from features.controls.store import Documents
from features.pictures.pictures import Pictures
from features.store.backends import open_catalog, open_pictures
from features.store.settings import StoreSettings
from features.store.shops import shop_store
from serving.pictures.worker import CatalogFeed, tell_counts

_LOG = logging.getLogger("vitrine.pictures")
_FOLLOWED_S = 0.5  # ingest deletes what a removed shop has kept, but not within ten seconds
_AGAIN_S = 5.0


class Worker(Protocol):
    """What works on the pictures of a shop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        ...


MakeWorkers = Callable[[str, Pictures, CatalogFeed], Sequence[Worker]]
"""Of a shop's name and stores."""


class ShopWorkers:
    """Keeps the workers of each shop. What they share, as the fetcher, the decoding threads and the
    model, takes their pictures in turn: one that is flooded fills its own places only.
    """

    def __init__(
        self, installation: StoreSettings, controls: Documents, make_workers: MakeWorkers
    ) -> None:
        """installation: of the default shop, beside which others are registered in `controls`."""
        self._installation = installation
        self._controls = controls
        self._make_workers = make_workers
        self._running: dict[str, _Running] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A shop that cannot be opened is tried again, and stops no other."""
        while not stop.is_set():
            try:
                await self._follow(await asyncio.to_thread(self._stores))
            except Exception:
                _LOG.exception("the shops are not followed; trying again")
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({stopped}, timeout=_FOLLOWED_S)
            stopped.cancel()
        await self._follow({})

    def _stores(self) -> dict[str, StoreSettings]:
        found = {DEFAULT_SHOP: self._installation}
        for name, shop in registered(self._controls).items():
            if shop.status is not ShopStatus.REMOVED:
                found[name] = shop_store(self._installation, shop)
        return found

    async def _follow(self, stores: Mapping[str, StoreSettings]) -> None:
        gone = {
            name: running
            for name, running in self._running.items()
            if name not in stores or running.store != stores[name]
        }
        for name, running in gone.items():
            running.stop.set()
            del self._running[name]
        await asyncio.gather(*(running.task for running in gone.values()))
        for name, store in stores.items():
            if name not in self._running:
                stop = asyncio.Event()
                task = asyncio.create_task(self._work(name, store, stop))
                self._running[name] = _Running(store, stop, task)

    async def _work(self, name: str, store: StoreSettings, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                with (
                    closing(Pictures(await asyncio.to_thread(open_pictures, store))) as pictures,
                    closing(await asyncio.to_thread(open_catalog, store)) as catalog,
                ):
                    async with asyncio.TaskGroup() as running:
                        for worker in self._make_workers(name, pictures, catalog):
                            running.create_task(worker.run(stop))
            except Exception:
                _LOG.exception("pictures of %s wait; trying again", name)
                stopped = asyncio.create_task(stop.wait())
                await asyncio.wait({stopped}, timeout=_AGAIN_S)
                stopped.cancel()
        tell_counts(name, {})


class _Running:
    """The worker of one shop, as it was started."""

    def __init__(
        self, store: StoreSettings, stop: asyncio.Event, task: "asyncio.Task[None]"
    ) -> None:
        self.store, self.stop, self.task = store, stop, task
