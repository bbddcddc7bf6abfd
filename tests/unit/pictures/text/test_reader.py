"""The process that reads: real letters, and what it does to nobody when it fails."""

import asyncio
import io
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
from PIL import Image

from loadtests.pictures.packages import package
from serving.pictures.problems import Page, PictureError
from serving.pictures.problems import PictureProblem as Problem
from serving.pictures.settings import TextSettings
from serving.pictures.text.plain import plain_text
from serving.pictures.text.reader import ProcessReader

# Reads how wide a page is; over some it fails.
_FAKE = """
import os, sys, time
from serving.pictures.text.child import serve

def read(page):
    width = page.shape[1]
    if width == 1: os._exit(9)
    if width == 2: time.sleep(60)
    if width == 3: raise ValueError("odd")
    return [[f"{width} wide", 0.9]]

serve(read, sys.stdin.buffer, sys.stdout.buffer)
"""


def wide(width: int) -> Page:
    return np.zeros((4, width, 3), np.uint8)


@pytest.fixture
async def fake() -> AsyncIterator[ProcessReader]:
    reader = ProcessReader(TextSettings(max_s=1.0, idle_s=0.3), [sys.executable, "-c", _FAKE])
    yield reader
    await reader.close()


async def problem_of(reader: ProcessReader, page: Page) -> tuple[Problem, bool]:
    with pytest.raises(PictureError) as told:
        await reader.read(page)
    return told.value.problem, told.value.retry


async def test_it_reads_english_and_chinese_and_nothing_where_nothing_is_written() -> None:
    reader = ProcessReader(TextSettings(max_s=100))
    drawn = package(("Highland Oatcakes", "有机绿茶", "<b>bold</b>"))
    page = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB"))
    try:
        read = plain_text(await reader.read(page), 0.8, 500)
        blank = [
            await reader.read(np.full(shape, 255, np.uint8)) for shape in ((300, 300, 3), (1, 1, 3))
        ]
    finally:
        await reader.close()
    assert read == "Highland Oatcakes\n有机绿茶\n<b>bold</b>"
    assert blank == [[], []]


async def test_who_ends_over_a_page_is_started_again_for_the_next_one(fake: ProcessReader) -> None:
    assert await problem_of(fake, wide(1)) == (Problem.UNREADABLE, True)
    assert await fake.read(wide(40)) == [("40 wide", 0.9)]


async def test_a_page_may_take_so_long_and_no_longer(fake: ProcessReader) -> None:
    await fake.read(wide(40))
    begun_s = time.monotonic()
    assert await problem_of(fake, wide(2)) == (Problem.TOO_SLOW, True)
    assert time.monotonic() - begun_s < 10
    assert await fake.read(wide(41)) == [("41 wide", 0.9)]


async def test_a_page_that_the_library_fails_over_is_given_up(fake: ProcessReader) -> None:
    assert await problem_of(fake, wide(3)) == (Problem.UNREADABLE, False)
    assert await fake.read(wide(42)) == [("42 wide", 0.9)]


async def test_nobody_gets_the_answer_to_the_page_of_one_who_went_away(fake: ProcessReader) -> None:
    await fake.read(wide(40))
    gone = asyncio.create_task(fake.read(wide(2)))
    await asyncio.sleep(0.1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await fake.read(wide(43)) == [("43 wide", 0.9)]


async def test_pages_of_many_are_read_one_after_another(fake: ProcessReader) -> None:
    read = await asyncio.gather(*(fake.read(wide(width)) for width in range(50, 60)))
    assert read == [[(f"{width} wide", 0.9)] for width in range(50, 60)]


def test_nobody_but_the_reading_process_loads_the_library() -> None:
    code = (
        "import sys, serving.pictures.__main__, serving.shops.pictures.shop_pictures;"
        "print({'rapidocr', 'cv2', 'onnxruntime'} & sys.modules.keys())"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "set()"


async def test_one_that_does_not_start_is_told() -> None:
    reader = ProcessReader(TextSettings(), [sys.executable, "-c", "raise SystemExit(3)"])
    assert await problem_of(reader, wide(40)) == (Problem.READER_UNAVAILABLE, True)


async def test_its_memory_is_given_back_when_there_is_nothing_to_read(fake: ProcessReader) -> None:
    await fake.read(wide(40))
    begun = fake._process
    assert begun is not None
    await asyncio.wait_for(begun.wait(), 20)
    assert await fake.read(wide(44)) == [("44 wide", 0.9)]
    assert fake._process is not begun
