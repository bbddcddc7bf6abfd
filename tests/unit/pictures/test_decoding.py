"""Only whole pictures of three formats are unfolded, and none that is too large."""

import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from serving.models.contract import PICTURE_SIDE
from serving.pictures.decoding import canvas_of, page_of, pixels_of
from serving.pictures.problems import PictureError, Pixels
from serving.pictures.problems import PictureProblem as Problem

MAX_BYTES, MAX_PIXELS = 4_000_000, 1_000_000


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decoded(content: bytes) -> Pixels:
    return pixels_of(content, MAX_BYTES, MAX_PIXELS)


def problem(content: bytes) -> Problem:
    with pytest.raises(PictureError) as caught:
        decoded(content)
    return caught.value.problem


def halves(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Red above blue."""
    image = Image.new("RGB", (width, height), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, width, height // 2))
    return image.convert(mode)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_format_shows_the_same(kind: str) -> None:
    pixels = decoded(file_of(halves(400, 400), kind))
    assert pixels.shape == (PICTURE_SIDE, PICTURE_SIDE, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[40, 112].astype(int) - [255, 0, 0]).max() < 12
    assert np.abs(pixels[180, 112].astype(int) - [0, 0, 255]).max() < 12


def test_a_narrow_picture_stands_whole_on_white() -> None:
    pixels = decoded(file_of(halves(100, 400)))
    assert (pixels[:, :80] == 255).all()
    assert (pixels[20, 112] == [255, 0, 0]).all()
    assert (pixels[200, 112] == [0, 0, 255]).all()


def test_what_is_transparent_is_white() -> None:
    image = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    image.paste((0, 128, 0, 255), (100, 100, 200, 200))
    pixels = decoded(file_of(image))
    assert (pixels[5, 5] == 255).all()
    assert (pixels[112, 112] == [0, 128, 0]).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "CMYK", "I;16"])
def test_other_ways_of_storing_colour_are_read(mode: str) -> None:
    image = Image.new("L", (50, 50), 128)
    if mode == "I;16":
        content = file_of(Image.fromarray(np.full((50, 50), 128 << 8, np.uint16)))
    else:
        content = file_of(image.convert(mode), "JPEG" if mode == "CMYK" else "PNG")
    grey = decoded(content)[112, 112].astype(int)
    assert grey.max() - grey.min() <= 3
    if mode != "1":
        assert abs(grey[0] - 128) <= 4


def test_a_photograph_taken_sideways_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = decoded(file_of(halves(200, 200), "JPEG", exif=exif))
    assert pixels[40, 112][2] > 200
    assert pixels[180, 112][0] > 200


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"\x00" * 999,
        file_of(Image.new("RGB", (9, 9)), "GIF"), file_of(Image.new("RGB", (9, 9)), "TIFF"),
        file_of(Image.new("RGB", (9, 9)), "BMP"),
        file_of(halves(99, 99))[:-40], file_of(halves(99, 99), "JPEG")[:300],
        file_of(halves(99, 99), "WEBP")[:60],
    ],
)  # fmt: skip
def test_what_is_no_whole_picture_of_a_known_format_is_refused(content: bytes) -> None:
    assert problem(content) is Problem.NOT_A_PICTURE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_bytes_anywhere_are_refused_or_shown_but_never_anything_else(kind: str) -> None:
    whole = bytearray(file_of(halves(64, 64), kind))
    rng = np.random.default_rng(0)
    for _ in range(60):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), 3).tolist():
            content[place] = int(rng.integers(256))
        with contextlib.suppress(PictureError):
            assert decoded(bytes(content)).shape == (PICTURE_SIDE, PICTURE_SIDE, 3)


def png_bomb(width: int, height: int, rows: int) -> bytes:
    """A PNG that claims a size; as many rows of it are there, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\x00" * rows * (1 + 3 * width), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_for_what_it_says_of_itself() -> None:
    bomb = png_bomb(3_000, 3_000, 3_000)
    assert len(bomb) < 40_000
    assert problem(bomb) is Problem.TOO_MANY_PIXELS
    assert problem(png_bomb(2**31 - 1, 2**31 - 1, 0)) is Problem.TOO_MANY_PIXELS
    assert problem(file_of(Image.new("L", (2_000, 2_000)), "JPEG")) is Problem.TOO_MANY_PIXELS


def test_a_bomb_that_lies_of_its_size_unfolds_no_further_than_it_said() -> None:
    assert decoded(png_bomb(10, 10, 5_000)).shape == (PICTURE_SIDE, PICTURE_SIDE, 3)


def test_too_many_bytes_are_refused_before_they_are_looked_at() -> None:
    with pytest.raises(PictureError, match="may have 10 bytes") as caught:
        pixels_of(b"x" * 11, 10, MAX_PIXELS)
    assert caught.value.problem is Problem.TOO_MANY_BYTES


def test_a_canvas_is_small_and_shows_nearly_the_same() -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (14, 14, 3), np.uint8)
    pixels = decoded(file_of(Image.fromarray(coarse).resize((500, 500), Image.Resampling.BICUBIC)))
    canvas = canvas_of(pixels)
    assert len(canvas) < 30_000
    assert np.abs(decoded(canvas).astype(int) - pixels).mean() < 4


def test_a_page_is_the_whole_picture_on_white_and_never_larger_than_it_is() -> None:
    def page(image: Image.Image) -> tuple[int, ...]:
        return page_of(file_of(image), MAX_BYTES, MAX_PIXELS, 300).shape

    assert page(Image.new("RGB", (900, 600))) == (200, 300, 3)
    assert page(Image.new("RGB", (90, 60))) == (60, 90, 3)
    clear = page_of(file_of(Image.new("RGBA", (9, 9), (0, 0, 0, 0))), MAX_BYTES, MAX_PIXELS, 300)
    assert (clear == 255).all()
    with pytest.raises(PictureError, match="not a whole picture"):
        page_of(b"broken", MAX_BYTES, MAX_PIXELS, 300)
