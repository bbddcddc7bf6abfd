"""What shops and shoppers do to a picture that stays the same picture."""

import io
from collections.abc import Callable

from PIL import Image, ImageOps

from serving.pictures.decoding import pixels_of
from serving.pictures.problems import Pixels

MAX_BYTES, MAX_PIXELS = 8 * 1024 * 1024, 30_000_000


def opened(content: bytes) -> Image.Image:
    """On white, as a shop shows it."""
    image = Image.open(io.BytesIO(content)).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _cropped(image: Image.Image) -> bytes:
    """A tenth is cut off on each side."""
    width, height = image.size
    box = (width // 10, height // 10, width - width // 10, height - height // 10)
    return _png(image.crop(box))


def _smaller(image: Image.Image) -> bytes:
    return _png(image.resize((96, 96), Image.Resampling.BILINEAR))


def _compressed(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=40)
    return out.getvalue()


def _mirrored(image: Image.Image) -> bytes:
    return _png(ImageOps.mirror(image))


VARIANTS: dict[str, Callable[[Image.Image], bytes]] = {
    "crop": _cropped,
    "resize": _smaller,
    "jpeg 40": _compressed,
    "flip": _mirrored,
}


def pixels(content: bytes) -> Pixels:
    """As a worker decodes it."""
    return pixels_of(content, MAX_BYTES, MAX_PIXELS)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()
