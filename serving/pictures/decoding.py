"""Bytes that claim to be a picture to pixels, within limits. The one place that decodes.

Only the formats of FORMATS are tried, whatever a name or a header says. How large a picture
unfolds is known from its first bytes and bounded before anything is unfolded: a decompression bomb
is refused for what it says of itself, and one that lies unfolds no further than it said.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np

# Whoever opens a format that is not loaded loads all fifty of Pillow.
from PIL import Image, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from serving.models.contract import PICTURE_SIDE
from serving.pictures.problems import Page, PictureError, PictureProblem, Pixels

FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
    )
)
_PAPER = (255, 255, 255)  # behind what is transparent, and beside what is not square
_SIZE = (PICTURE_SIDE, PICTURE_SIDE)
_QUALITY = 95
_PAGE_QUALITY = 85


def pixels_of(content: bytes, max_bytes: int, max_pixels: int) -> Pixels:
    """The whole picture within a white square, uint8 (SIDE, SIDE, 3); raises PictureError."""
    return _decoded(content, max_bytes, max_pixels, PICTURE_SIDE, _square)


def page_of(content: bytes, max_bytes: int, max_pixels: int, max_side: int) -> Page:
    """The whole picture on white, to be read: never larger than it is, and its longer side at most
    `max_side`. Raises PictureError.
    """

    def page(image: Image.Image) -> Page:
        return np.asarray(_on_paper(_upright(image, max_side, enlarge=False)))

    return _decoded(content, max_bytes, max_pixels, max_side, page)


def _decoded(
    content: bytes,
    max_bytes: int,
    max_pixels: int,
    side: int,
    made_of: Callable[[Image.Image], Page],
) -> Page:
    """side: of what is made of it"""
    if len(content) > max_bytes:
        raise PictureError(PictureProblem.TOO_MANY_BYTES, f"a picture may have {max_bytes} bytes")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise _bomb(max_pixels)
            # A JPEG is unfolded at an eighth, a quarter or half its size where that is enough.
            image.draft("RGB", (2 * side, 2 * side))
            return made_of(image)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise _bomb(max_pixels) from None
    except Exception:  # decoders of broken files raise nearly everything, and all of it means this
        raise PictureError(
            PictureProblem.NOT_A_PICTURE, f"not a whole picture of {', '.join(FORMATS)}"
        ) from None


def canvas_of(pixels: Page) -> bytes:
    """Pixels as a small file, WebP of high quality, to be kept."""
    out = io.BytesIO()
    quality = _QUALITY if max(pixels.shape) <= PICTURE_SIDE else _PAGE_QUALITY
    Image.fromarray(pixels).save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()


def _bomb(max_pixels: int) -> PictureError:
    return PictureError(PictureProblem.TOO_MANY_PIXELS, f"a picture may have {max_pixels} pixels")


def _square(image: Image.Image) -> Pixels:
    small = _on_paper(_upright(image, PICTURE_SIDE))
    square = Image.new("RGB", _SIZE, _PAPER)
    square.paste(small, ((PICTURE_SIDE - small.width) // 2, (PICTURE_SIDE - small.height) // 2))
    return np.asarray(square)


def _upright(image: Image.Image, longest: int, enlarge: bool = True) -> Image.Image:
    """RGB or RGBA, its longer side `longest`; without `enlarge` at most that."""
    upright: Image.Image = _colours(ImageOps.exif_transpose(image))
    scale = longest / max(upright.size)
    if scale > 1 and not enlarge:
        return upright
    width, height = (max(1, round(side * scale)) for side in upright.size)
    return upright.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def _on_paper(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    paper = Image.new("RGB", image.size, _PAPER)
    paper.paste(image, (0, 0), image)
    return paper


def _colours(image: Image.Image) -> Any:
    """RGB, or RGBA where something is transparent."""
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16 bits a pixel: Pillow would cut them at 255.
        grey = np.asarray(image).astype(np.uint32) >> 8
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    has_holes = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    return image.convert("RGBA" if has_holes else "RGB")
