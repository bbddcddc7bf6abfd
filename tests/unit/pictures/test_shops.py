"""One process looks at the pictures of all shops, each with stores of its own."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from features.catalog.item import Item
from features.controls.shops import DEFAULT_SHOP, SHOPS, Registered, ShopStatus
from features.pictures.pictures import Pictures
from features.pictures.store import PictureState
from features.store.backends import open_catalog, open_controls, open_pictures
from features.store.settings import StoreSettings
from features.store.shops import shop_store
from serving.pictures.fetching import Fetcher
from serving.pictures.settings import FetchSettings, PictureSettings
from serving.pictures.shops import ShopWorkers
from serving.pictures.worker import CatalogFeed, PictureWorker
from tests.support.live_shop import wait_until
from tests.support.pictures import Colours, png
from tests.support.servers.picture_server import LoopbackNames, PictureServer


class Installation:
    """Stores of some shops, and what their workers wrote."""

    def __init__(self, folder: Path, server: PictureServer) -> None:
        self.store = StoreSettings(state=folder)
        self.controls = open_controls(self.store)
        self.server = server

    def register(self, name: str, status: ShopStatus = ShopStatus.ACTIVE) -> StoreSettings:
        entry = Registered(name, f"{name}-1", status, 0, {}, {})
        self.controls.put(SHOPS, name, entry.document)
        return shop_store(self.store, entry)

    def show(self, store: StoreSettings, item_id: str) -> None:
        catalog = open_catalog(store)
        catalog.upsert([Item(item_id, item_id, image_url=self.server.url(item_id))])
        catalog.close()

    def ready(self, store: StoreSettings) -> list[str]:
        rows = open_pictures(store)
        found = rows.ids(PictureState.READY)
        rows.close()
        return found


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    async with PictureServer() as server:
        server.serve("tea", png((255, 0, 0)))
        server.serve("cup", png((0, 255, 0)))
        opened = Installation(tmp_path, server)
        yield opened
        opened.controls.close()


class Working:
    """Workers of all shops, while the block runs."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.started: list[str] = []
        self._stop = asyncio.Event()

    async def __aenter__(self) -> "Working":
        fetch = FetchSettings(
            hosts=(f"cdn.example:{self.installation.server.port}",), private=True, total_s=2
        )
        settings = PictureSettings(fetch=fetch, interval_s=0.02)
        self._fetcher = Fetcher(fetch, settings.max_bytes, LoopbackNames())
        self._decoding = ThreadPoolExecutor(1)

        def workers_of(shop: str, pictures: Pictures, catalog: CatalogFeed) -> list[PictureWorker]:
            self.started.append(shop)
            made = PictureWorker(
                pictures, catalog, self._fetcher, Colours(), settings, self._decoding, shop
            )
            return [made]

        workers = ShopWorkers(self.installation.store, self.installation.controls, workers_of)
        self._task = asyncio.create_task(workers.run(self._stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._task
        await self._fetcher.__aexit__(None, None, None)


async def test_each_shop_gets_its_own_pictures_also_one_that_comes_later(
    installation: Installation,
) -> None:
    installation.show(installation.store, "tea")
    async with Working(installation):
        await asyncio.to_thread(wait_until, lambda: installation.ready(installation.store))
        outlet = installation.register("outlet")
        installation.show(outlet, "cup")
        await asyncio.to_thread(wait_until, lambda: installation.ready(outlet))
    assert installation.ready(installation.store) == ["tea"]
    assert installation.ready(outlet) == ["cup"]


async def test_a_removed_shop_is_looked_at_no_more(installation: Installation) -> None:
    outlet = installation.register("outlet")
    async with Working(installation) as working:
        await asyncio.to_thread(
            wait_until, lambda: set(working.started) == {DEFAULT_SHOP, "outlet"}
        )
        installation.register("outlet", ShopStatus.REMOVED)
        await asyncio.sleep(1.2)  # two looks at what is registered
        installation.show(outlet, "cup")
        installation.show(installation.store, "tea")
        await asyncio.to_thread(wait_until, lambda: installation.ready(installation.store))
    assert installation.ready(outlet) == []
