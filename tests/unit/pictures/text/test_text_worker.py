"""The worker of texts reads what was looked at, keeps it with the picture, and comes again."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from features.pictures.pictures import READ_CLAIMED_S, Pictures
from features.pictures.sqlite_store import SqlitePictures
from features.pictures.store import Reading, Row
from serving.pictures.decoding import canvas_of, page_of, pixels_of
from serving.pictures.fetching import Fetcher
from serving.pictures.problems import Page, PictureError
from serving.pictures.problems import PictureProblem as Problem
from serving.pictures.settings import FetchSettings, PictureSettings, TextSettings
from serving.pictures.text.plain import Line
from serving.pictures.text.reader import READER
from serving.pictures.text.worker import TextWorker
from tests.support.fakes import NOW_S
from tests.support.live_shop import wait_until
from tests.support.pictures import png
from tests.support.servers.picture_server import LoopbackNames, PictureServer

VECTOR = np.arange(8, dtype=np.float16)


class Clerk:
    """A `TextReader` that says how large a page is, or fails as it was told."""

    def __init__(self) -> None:
        self.pages: list[tuple[int, int]] = []
        self.fails: PictureError | None = None

    async def read(self, page: Page) -> list[Line]:
        height, width, _ = page.shape
        self.pages.append((height, width))
        if self.fails is not None:
            raise self.fails
        return [(f"{width} x {height}", 0.9), ("unsure", 0.1)] if width > 1 else []


class Desk:
    """A worker, what it reads and writes, and a clock that is turned by hand."""

    def __init__(self, folder: Path, server: PictureServer) -> None:
        self.now_s = NOW_S
        self.pictures = Pictures(SqlitePictures(folder / "pictures.db"))
        self.reader = Clerk()
        self.server = server
        hosts = (f"cdn.example:{server.port}",)
        fetch = FetchSettings(hosts=hosts, private=True, max_tries=3, total_s=2)
        self.settings = PictureSettings(fetch=fetch, interval_s=0.02)
        self.decoding = ThreadPoolExecutor(1)

    async def work_until(self, reached: Callable[[], bool]) -> None:
        stop = asyncio.Event()
        fetch, limit = self.settings.fetch, self.settings.max_bytes
        async with Fetcher(fetch, limit, LoopbackNames()) as fetcher:
            worker = TextWorker(
                self.pictures, fetcher, self.reader, self.settings, TextSettings(max_side=300),
                self.decoding, clock=lambda: self.now_s,
            )  # fmt: skip
            running = asyncio.create_task(worker.run(stop))
            await asyncio.to_thread(wait_until, reached)
            stop.set()
            await running

    def look_at(self, item_id: str, content: bytes, encoder: str = "net") -> None:
        """What the worker of vectors does."""
        self.server.serve(item_id, content)
        self.pictures.expect({item_id: self.server.url(item_id)}, self.now_s)
        self.claimed(encoder)

    def claimed(self, encoder: str = "net") -> None:
        for row in self.pictures.claim(self.now_s, 10):
            assert self.pictures.done(row, VECTOR, encoder)

    def row(self, item_id: str) -> Row:
        found = self.pictures.get(item_id)
        assert found is not None
        return found

    def reading(self, item_id: str) -> Reading:
        return self.row(item_id).reading

    def says(self, item_id: str, text: str) -> Callable[[], bool]:
        return lambda: self.reading(item_id) == Reading(by=READER, text=text)

    def waits(self, item_id: str, problem: Problem, tries: int) -> Callable[[], bool]:
        def reached() -> bool:
            told = self.reading(item_id)
            taken = told.due_s == self.now_s + READ_CLAIMED_S
            return (told.problem, told.tries, told.by) == (problem, tries, "") and not taken

        return reached


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with PictureServer() as server:
        opened = Desk(tmp_path, server)
        yield opened
        opened.pictures.close()


async def test_what_was_looked_at_is_read_and_its_vector_stays(desk: Desk) -> None:
    desk.look_at("tea", png((255, 0, 0), 600))
    desk.look_at("dot", png((255, 0, 0), 1))
    await desk.work_until(desk.says("tea", "300 x 300"))
    await desk.work_until(desk.says("dot", ""))
    assert desk.row("tea").vector == VECTOR.tobytes()
    assert desk.pictures.texts(["tea", "dot", "cup"]) == {"tea": "300 x 300"}
    assert desk.pictures.n_unread() == 0


async def test_what_was_read_is_not_read_again_by_the_same_reader(desk: Desk) -> None:
    desk.look_at("tea", png((255, 0, 0), 40))
    await desk.work_until(desk.says("tea", "40 x 40"))
    desk.look_at("cup", png((255, 0, 0), 50))
    await desk.work_until(desk.says("cup", "50 x 50"))
    assert desk.reader.pages == [(40, 40), (50, 50)]


async def test_another_picture_is_read_anew_and_says_nothing_until_then(desk: Desk) -> None:
    desk.look_at("tea", png((255, 0, 0), 40))
    await desk.work_until(desk.says("tea", "40 x 40"))
    desk.server.serve("new", png((255, 0, 0), 60))
    desk.pictures.expect({"tea": desk.server.url("new")}, desk.now_s)
    assert desk.pictures.texts(["tea"]) == {}
    desk.claimed()
    await desk.work_until(desk.says("tea", "60 x 60"))


async def test_the_text_goes_with_the_picture(desk: Desk) -> None:
    desk.look_at("tea", png((255, 0, 0), 40))
    await desk.work_until(desk.says("tea", "40 x 40"))
    desk.pictures.drop(["tea"])
    assert desk.pictures.texts(["tea"]) == {}


async def test_a_picture_that_was_taken_back_while_it_was_read_gets_no_text(desk: Desk) -> None:
    desk.look_at("tea", png((255, 0, 0), 40))
    desk.pictures.expect_reading(["tea"], READER, desk.now_s)
    (row,) = desk.pictures.claim_readings(desk.now_s, 1)
    desk.pictures.drop(["tea"])
    assert not desk.pictures.read(row, Reading(by=READER, text="late"))
    assert desk.pictures.texts(["tea"]) == {}


async def test_one_that_the_reader_ends_over_holds_up_no_other_and_is_given_up(desk: Desk) -> None:
    desk.look_at("bad", png((255, 0, 0), 40))
    desk.reader.fails = PictureError(Problem.UNREADABLE, retry=True)
    waited: list[float] = []
    for tries in (1, 2):
        await desk.work_until(desk.waits("bad", Problem.UNREADABLE, tries))
        waited.append(desk.reading("bad").due_s - desk.now_s)
        desk.now_s = desk.reading("bad").due_s
    assert waited == [30.0, 60.0]
    desk.reader.fails = None
    desk.look_at("tea", png((255, 0, 0), 50))
    desk.now_s -= 1
    await desk.work_until(desk.says("tea", "50 x 50"))
    desk.now_s += 1
    desk.reader.fails = PictureError(Problem.UNREADABLE, retry=True)
    given_up = Reading(by=READER, problem=Problem.UNREADABLE, tries=3)
    await desk.work_until(lambda: desk.reading("bad") == given_up)
    assert desk.row("bad").vector == VECTOR.tobytes()


async def test_a_picture_over_which_workers_end_is_given_up(desk: Desk) -> None:
    desk.look_at("crash", png((255, 0, 0), 40))
    desk.pictures.expect_reading(["crash"], READER, desk.now_s)
    for _ in range(3):
        assert desk.pictures.claim_readings(desk.now_s, 1)  # and this worker is not heard of again
        assert not desk.pictures.claim_readings(desk.now_s, 1)
        desk.now_s += 601
    given_up = Reading(by=READER, problem=Problem.GAVE_UP, tries=4)
    await desk.work_until(lambda: desk.reading("crash") == given_up)
    assert desk.reader.pages == []


async def test_a_reader_that_does_not_start_costs_no_try(desk: Desk) -> None:
    desk.look_at("tea", png((255, 0, 0), 40))
    desk.reader.fails = PictureError(Problem.READER_UNAVAILABLE, retry=True)
    for n_asked in range(1, 6):
        told = desk.waits("tea", Problem.READER_UNAVAILABLE, 0)
        await desk.work_until(lambda n=n_asked, told=told: len(desk.reader.pages) == n and told())  # type: ignore[misc]
        desk.now_s += 61
    desk.reader.fails = None
    await desk.work_until(desk.says("tea", "40 x 40"))


async def test_an_upload_is_kept_as_large_as_it_is_read_until_it_was(desk: Desk) -> None:
    large = canvas_of(page_of(png((255, 0, 0), 600), 10**7, 10**7, 300))
    desk.pictures.put("tea", large, desk.now_s)
    desk.claimed()
    await desk.work_until(desk.says("tea", "300 x 300"))
    kept = desk.pictures.canvas("tea")
    assert kept is not None
    assert Image.open(io.BytesIO(kept)).size == (224, 224)
    assert pixels_of(kept, 10**7, 10**7).shape == (224, 224, 3)


async def test_another_reader_reads_what_has_a_url_and_no_upload_of_which_little_is_kept(
    desk: Desk,
) -> None:
    desk.look_at("tea", png((255, 0, 0), 40))
    desk.pictures.put("cup", png((255, 0, 0), 50), desk.now_s)
    desk.claimed()
    for item_id in ("tea", "cup"):
        row = desk.row(item_id)
        assert desk.pictures.read(row, Reading(by="another reader", text="before"))
    desk.reader.fails = PictureError(Problem.UNREADABLE)
    await desk.work_until(lambda: desk.reading("tea").by == READER)
    assert desk.reading("tea") == Reading(READER, "before", Problem.UNREADABLE, tries=1)
    assert desk.reading("cup") == Reading(by="another reader", text="before")


async def test_a_new_encoder_looks_again_and_what_was_read_stays(desk: Desk) -> None:
    desk.look_at("tea", png((255, 0, 0), 40))
    await desk.work_until(desk.says("tea", "40 x 40"))
    before = desk.row("tea")
    assert desk.pictures.renew("new net", desk.now_s) == 1
    desk.claimed("new net")
    after = desk.row("tea")
    assert replace(after, revision=0) == replace(
        before, revision=0, encoder="new net", tries=1, due_s=after.due_s
    )
