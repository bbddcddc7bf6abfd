"""Asks the process that reads. It may be slow, be killed or end over a page, the worker never.

It is started for the first page and ended when there was none for a while, so its memory (some 520
MB) is taken only while there is something to read.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

from serving.pictures.problems import Page, PictureError, PictureProblem
from serving.pictures.settings import TextSettings
from serving.pictures.text.child import READY, SHAPE, SIZE
from serving.pictures.text.plain import Line
from serving.telemetry.picture_metrics import PICTURE_READING_SECONDS

READER = "PP-OCRv6 small"  # who reads; with other models another name: all is read anew
_START_S = 120.0
_LONGEST = 1 << 20  # bytes of an answer


class TextReader(Protocol):
    """Reads pages, one after another."""

    async def read(self, page: Page) -> list[Line]:
        """The lines from the top; raises PictureError."""
        ...


def can_read() -> bool:
    """Whether the library is installed."""
    return find_spec("rapidocr") is not None


class ProcessReader:
    """A `TextReader`; belongs to the event loop that first uses it. Who comes first is read first.

    command: what is started, else serving.pictures.text.child
    """

    def __init__(self, settings: TextSettings, command: Sequence[str] | None = None) -> None:
        self._settings = settings
        self._command = command or [
            sys.executable, "-m", "serving.pictures.text.child", str(settings.threads),
            str(settings.max_side),
        ]  # fmt: skip
        self._one = asyncio.Lock()
        self._process: Process | None = None
        self._idle: asyncio.Task[None] | None = None

    async def read(self, page: Page) -> list[Line]:
        """See TextReader."""
        async with self._one:
            if self._idle is not None:
                self._idle.cancel()
            try:
                process = await self._started()
                lines = await self._asked(process, page)
            except BaseException:  # who is in the middle of a page cannot be asked for another one
                await self._end()
                raise
            self._idle = asyncio.create_task(self._end_when_idle())
        if lines is None:
            raise PictureError(PictureProblem.UNREADABLE)
        return lines

    async def close(self) -> None:
        """End the process."""
        if self._idle is not None:
            self._idle.cancel()
        async with self._one:
            await self._end()

    async def _asked(self, process: Process, page: Page) -> list[Line] | None:
        assert process.stdin is not None
        assert process.stdout is not None
        height, width, _ = page.shape
        begun_s = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.max_s):
                process.stdin.write(SHAPE.pack(height, width) + page.tobytes())
                await process.stdin.drain()
                (size,) = SIZE.unpack(await process.stdout.readexactly(SIZE.size))
                if size > _LONGEST:
                    raise PictureError(PictureProblem.UNREADABLE)
                found = json.loads(await process.stdout.readexactly(size))
        except TimeoutError:
            raise PictureError(PictureProblem.TOO_SLOW, retry=True) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            # It may have been killed for the memory that others took.
            raise PictureError(PictureProblem.UNREADABLE, retry=True) from None
        PICTURE_READING_SECONDS.observe(time.monotonic() - begun_s)
        return None if found is None else [(text, confidence) for text, confidence in found]

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_START_S):
                ready = await self._process.stdout.read(len(READY))
        except TimeoutError:
            ready = b""
        if ready != READY:
            raise PictureError(PictureProblem.READER_UNAVAILABLE, retry=True)
        return self._process

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(self._settings.idle_s)
        async with self._one:
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
