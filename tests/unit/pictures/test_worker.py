"""The worker looks at what waits, tells what cannot be had, and comes again."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from features.catalog.item import Item
from features.catalog.store import CatalogChanges
from features.pictures.pictures import Pictures
from features.pictures.sqlite_store import SqlitePictures
from features.pictures.store import PictureState as State
from features.pictures.store import Row
from serving.models.contract import PICTURE_ENCODER
from serving.pictures.decoding import canvas_of, pixels_of
from serving.pictures.fetching import Fetcher
from serving.pictures.problems import PictureProblem as Problem
from serving.pictures.settings import FetchSettings, PictureSettings
from serving.pictures.worker import PictureWorker
from tests.support.fakes import NOW_S, FakeCatalog
from tests.support.live_shop import wait_until
from tests.support.pictures import Colours, png
from tests.support.servers.picture_server import LoopbackNames, PictureServer


class Desk:
    """A worker, what it reads and writes, and a clock that is turned by hand."""

    def __init__(self, folder: Path, server: PictureServer, hosts: tuple[str, ...]) -> None:
        self.now_s = NOW_S
        self.pictures = Pictures(SqlitePictures(folder / "pictures.db"))
        self.catalog = FakeCatalog()
        self.encoder = Colours()
        self.server = server
        fetch = FetchSettings(hosts=hosts, private=True, max_tries=3, total_s=2)
        self.decoding = ThreadPoolExecutor(1)
        self.settings = PictureSettings(fetch=fetch, interval_s=0.02, max_pixels=10_000)

    async def work_until(self, reached: Callable[[], bool]) -> None:
        stop = asyncio.Event()
        async with Fetcher(
            self.settings.fetch, self.settings.max_bytes, LoopbackNames()
        ) as fetcher:
            worker = PictureWorker(
                self.pictures, self.catalog, fetcher, self.encoder, self.settings,
                self.decoding, clock=lambda: self.now_s,
            )  # fmt: skip
            running = asyncio.create_task(worker.run(stop))
            await asyncio.to_thread(wait_until, reached)
            stop.set()
            await running

    def row(self, item_id: str) -> Row:
        found = self.pictures.get(item_id)
        assert found is not None, item_id
        return found

    def told(self, item_id: str) -> tuple[State, str] | None:
        found = self.pictures.get(item_id)
        return None if found is None else (found.state, found.problem)

    def item(self, item_id: str, path: str = "") -> None:
        self.catalog.upsert([Item(item_id, item_id, image_url=self.server.url(path or item_id))])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with PictureServer() as server:
        opened = Desk(tmp_path, server, (f"cdn.example:{server.port}",))
        yield opened
        opened.pictures.close()


async def test_pictures_of_the_catalogue_get_vectors_and_those_of_gone_items_go(desk: Desk) -> None:
    desk.server.serve("tea", png((255, 0, 0)))
    desk.item("tea")
    desk.catalog.upsert([Item("plain", "no picture")])
    await desk.work_until(lambda: desk.told("tea") == (State.READY, ""))
    vector = np.frombuffer(desk.row("tea").vector, np.float16)
    np.testing.assert_allclose(vector[:3], [1, 0, 0], atol=0.01)
    assert desk.row("tea").encoder == PICTURE_ENCODER
    assert desk.told("plain") is None
    desk.catalog.delete("tea")
    await desk.work_until(lambda: desk.told("tea") is None)


async def test_one_that_cannot_be_had_is_told_and_holds_up_no_other(desk: Desk) -> None:
    desk.server.serve("page", b"<html>")
    desk.server.serve("large", _large())
    desk.server.drip("slow", 10_000, 0.05)
    desk.server.serve("tea", png((0, 255, 0)))
    for item_id in ("slow", "page", "large", "gone", "tea"):
        desk.item(item_id)
    desk.catalog.upsert([Item("evil", "evil", image_url="http://evil.example/x")])
    await desk.work_until(lambda: desk.told("slow") == (State.WAITING, Problem.TOO_SLOW))
    assert desk.told("tea") == (State.READY, "")
    assert desk.told("page") == (State.FAILED, Problem.NOT_A_PICTURE)
    assert desk.told("large") == (State.FAILED, Problem.TOO_MANY_PIXELS)
    assert desk.told("evil") == (State.FAILED, Problem.HOST_NOT_ALLOWED)
    assert desk.told("gone") == (State.WAITING, Problem.NOT_FOUND)


def _large() -> bytes:
    out = io.BytesIO()
    Image.new("L", (200, 200)).save(out, "PNG")
    return out.getvalue()


async def test_tries_follow_each_other_in_waits_that_double_and_end(desk: Desk) -> None:
    desk.item("gone")
    due: list[float] = []
    for tries in (1, 2):
        await desk.work_until(
            lambda n=tries: (
                desk.told("gone") is not None  # type: ignore[misc]
                and desk.row("gone").tries == n
                and desk.row("gone").problem == Problem.NOT_FOUND
                and desk.row("gone").due_s - desk.now_s != 120
            )
        )
        due.append(desk.row("gone").due_s - desk.now_s)
        desk.now_s = desk.row("gone").due_s
    assert due == [30.0, 60.0]
    await desk.work_until(lambda: desk.told("gone") == (State.FAILED, Problem.NOT_FOUND))
    assert desk.server.asked.count("gone") == 3


async def test_a_model_that_is_down_costs_no_try(desk: Desk) -> None:
    desk.server.serve("tea", png((255, 0, 0)))
    desk.item("tea")
    desk.encoder.down = True
    for _ in range(5):
        n_asked = desk.encoder.n_asked
        await desk.work_until(lambda n=n_asked: desk.encoder.n_asked > n)  # type: ignore[misc]
        desk.now_s += 200
    assert desk.told("tea") == (State.WAITING, Problem.MODEL_UNAVAILABLE)
    desk.encoder.down = False
    await desk.work_until(lambda: desk.told("tea") == (State.READY, ""))


async def test_a_picture_over_which_workers_end_is_given_up(desk: Desk) -> None:
    desk.item("crash")
    desk.pictures.expect({"crash": desk.server.url("crash")}, NOW_S)
    for _ in range(3):
        assert desk.pictures.claim(desk.now_s, 1)  # and nothing more is heard of this worker
        desk.now_s += 1_000
    await desk.work_until(lambda: desk.told("crash") == (State.FAILED, Problem.GAVE_UP))
    assert desk.server.asked == []


async def test_bytes_that_came_need_no_host(desk: Desk, tmp_path: Path) -> None:
    desk.settings = PictureSettings(interval_s=0.02)
    desk.item("tea")
    desk.item("cup")
    canvas = canvas_of(pixels_of(png((0, 0, 255)), 10**6, 10**6))
    desk.pictures.put("tea", canvas, NOW_S)
    await desk.work_until(lambda: desk.told("tea") == (State.READY, ""))
    assert desk.told("cup") is None  # nothing is fetched, so nothing waits for ever
    assert desk.server.asked == []


class Flaky(FakeCatalog):
    """Away the first times."""

    n_away = 2

    def changed_since(self, change: int) -> CatalogChanges:
        if self.n_away:
            self.n_away -= 1
            raise OSError("away")
        return super().changed_since(change)


async def test_a_store_that_fails_is_asked_again(desk: Desk) -> None:
    desk.catalog = Flaky()
    desk.server.serve("tea", png((255, 0, 0)))
    desk.item("tea")
    await desk.work_until(lambda: desk.told("tea") == (State.READY, ""))
