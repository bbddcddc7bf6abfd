"""Has the pictures of a shop read that were looked at, and keeps what is written on them.

It comes behind the worker that looks at them: no vector waits for a text. What waits stands in the
store, and a picture over which the reader ends holds up no other.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

from features.controls.shops import DEFAULT_SHOP
from features.pictures.pictures import Pictures
from features.pictures.store import UPLOADED, PictureState, Reading, Row
from serving.pictures.decoding import canvas_of, page_of, pixels_of
from serving.pictures.fetching import Fetcher
from serving.pictures.problems import Page, PictureError, PictureProblem
from serving.pictures.settings import PictureSettings, TextSettings
from serving.pictures.text.plain import plain_text
from serving.pictures.text.reader import READER, TextReader
from serving.pictures.worker import content_of, wait_s
from serving.pictures.working import Work, work_until
from serving.telemetry.picture_metrics import PICTURES_READ, PICTURES_UNREAD

_LOG = logging.getLogger("vitrine.pictures")
_AT_ONCE = 2  # one is read while the next is fetched
_READER_AGAIN_S = 60.0
_CHUNK = 1_000


class TextWorker:
    """The reading of one shop. Stores are asked in threads, pictures decoded in `decoding`."""

    def __init__(
        self,
        pictures: Pictures,
        fetcher: Fetcher,
        reader: TextReader,
        settings: PictureSettings,
        text: TextSettings,
        decoding: Executor,
        shop: str = DEFAULT_SHOP,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pictures = pictures
        self._fetcher = fetcher
        self._reader = reader
        self._settings = settings
        self._text = text
        self._decoding = decoding
        self._shop = shop
        self._clock = clock
        self._change = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A store that fails is asked again."""
        work = Work(
            follow=self.follow,
            claim=lambda free: self._pictures.claim_readings(self._clock(), free),
            look=self._read_and_tell,
            at_once=_AT_ONCE,
            interval_s=self._settings.interval_s,
        )
        await work_until(stop, work)

    def follow(self) -> None:
        """Have read what was looked at since the last time, and what another reader has read."""
        while True:
            changed = self._pictures.changed_since(self._change, _CHUNK)
            if changed.change == self._change:
                break
            unread = [
                row.item_id
                for row in changed.rows
                if row.state is PictureState.READY and row.reading.by != READER
            ]
            self._pictures.expect_reading(unread, READER, self._clock())
            self._change = changed.change
        PICTURES_UNREAD.labels(shop=self._shop).set(self._pictures.n_unread())

    async def _read_and_tell(self, row: Row) -> None:
        try:
            page, canvas = await self._page(row)
            lines = await self._reader.read(page)
            wanted = self._text
            text = plain_text(lines, wanted.min_confidence, wanted.max_characters)
            read = Reading(by=READER, text=text)
            await asyncio.to_thread(self._pictures.read, row, read, canvas)
            PICTURES_READ.labels(outcome="read" if text else "blank").inc()
        except PictureError as error:
            await self._failed(row, error)

    async def _page(self, row: Row) -> tuple[Page, bytes | None]:
        """What is to be read, and what is kept of an upload then; raises PictureError."""
        limits = self._settings
        if row.reading.tries > limits.fetch.max_tries:
            raise PictureError(PictureProblem.GAVE_UP)
        content = await content_of(row, self._pictures, self._fetcher)
        bounds = limits.max_bytes, limits.max_pixels

        def decoded() -> tuple[Page, bytes | None]:
            page = page_of(content, *bounds, self._text.max_side)
            kept = row.origin == UPLOADED
            return page, canvas_of(pixels_of(content, *bounds)) if kept else None

        return await asyncio.get_running_loop().run_in_executor(self._decoding, decoded)

    async def _failed(self, row: Row, error: PictureError) -> None:
        """What another reader read before stays."""
        tries, due_s = row.reading.tries, 0.0
        if error.problem is PictureProblem.READER_UNAVAILABLE:  # not the picture's fault
            tries, due_s = tries - 1, self._clock() + _READER_AGAIN_S
        elif error.retry and tries < self._settings.fetch.max_tries:
            due_s = self._clock() + wait_s(self._settings.fetch, tries)
        problem = error.problem.value
        told = replace(row.reading, problem=problem, tries=tries, due_s=due_s)
        if not due_s:
            told = replace(told, by=READER)
        await asyncio.to_thread(self._pictures.read, row, told)
        PICTURES_READ.labels(outcome=problem).inc()
