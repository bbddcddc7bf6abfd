"""A shop's pictures over a real store, with an encoder of mean colours in the model's place."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from features.arrays import FloatArray
from features.pictures.pictures import Pictures
from features.pictures.sqlite_store import SqlitePictures
from serving.errors import ModelUnavailableError
from serving.models.breaker import Breaker
from serving.models.contract import PICTURE_ENCODER, PICTURE_VECTOR_SIZE, EncoderProfile
from serving.models.settings import BreakerSettings
from serving.pictures.decoding import pixels_of
from serving.pictures.problems import Pixels
from serving.pictures.settings import PictureSettings, TextSettings
from serving.shops.pictures.feed import PictureFeed
from serving.shops.pictures.kept import kept_spaces
from serving.shops.pictures.shop_pictures import ShopPictures
from tests.support.fakes import NOW_S
from tests.support.service import Service

LIMIT = 100_000


class Colours:
    """A `PictureEncoder` of mean colours; down while `down`."""

    def __init__(self) -> None:
        self.down = False
        self.n_asked = 0

    async def encode(
        self, pictures: list[Pixels], budget_s: float, traceparent: str | None = None
    ) -> FloatArray:
        """See PictureEncoder."""
        self.n_asked += 1
        if self.down:
            raise ModelUnavailableError("down")
        return np.stack([colour_vector(pixels) for pixels in pictures])


def colour_vector(pixels: Pixels) -> FloatArray:
    """The mean colour, of length 1."""
    out = np.zeros(PICTURE_VECTOR_SIZE, np.float32)
    out[:3] = pixels.mean(axis=(0, 1)) + 1
    return out / np.linalg.norm(out)


def png(colour: tuple[int, int, int], side: int = 40) -> bytes:
    """A square of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


def base64_of(content: bytes) -> str:
    """As it is sent."""
    return base64.b64encode(content).decode()


def shown_pictures(
    folder: Path, encoder: Colours | None = None, text: TextSettings | None = None
) -> ShopPictures:
    """Pictures of a shop, none yet. text: how they are read; None: nobody does."""
    stored = Pictures(SqlitePictures(folder / "pictures.db"))
    limit = LIMIT if text is None else 10 * LIMIT  # letters need some room
    settings = PictureSettings(max_bytes=limit, max_pixels=limit, text=text)
    breaker = Breaker("pictures", BreakerSettings())
    return ShopPictures(stored, encoder or Colours(), breaker, settings, lambda: NOW_S)


def look_at(service: Service, item_id: str, content: bytes | None = None) -> None:
    """What a worker does, and the replica behind it."""
    pictures = service.shop.pictures
    assert pictures is not None
    if content is not None:
        pictures.stored.put(item_id, content, NOW_S)
    else:
        pictures.stored.put(item_id, png((255, 0, 0)), NOW_S)
    for row in pictures.stored.claim(NOW_S, 10):
        kept = pictures.stored.canvas(row.item_id)
        assert kept is not None
        vector = colour_vector(pixels_of(kept, LIMIT, LIMIT)).astype(np.float16)
        pictures.stored.done(row, vector, PICTURE_ENCODER)
    shop = service.shop
    spaces = kept_spaces(shop.controls)
    PictureFeed(
        pictures.stored, spaces, service.items, shop.retrieval, EncoderProfile.ENGLISH, 1.0
    ).follow()
