"""Pictures as a shop's callers bring them: for an item, or to search with."""

import asyncio
import time
from collections.abc import Callable, Sequence

from features.arrays import FloatArray
from features.pictures.pictures import Pictures
from features.pictures.store import Row
from serving.errors import ModelTimeoutError
from serving.models.breaker import Breaker
from serving.pictures.encoder import PictureEncoder
from serving.pictures.problems import Page, Pixels
from serving.pictures.settings import PictureSettings
from serving.shops.waiting_room import WaitingRoom
from serving.telemetry.stages import current_traceparent


class ShopPictures:
    """Decodes in threads of its own: the event loop never does."""

    def __init__(
        self,
        pictures: Pictures,
        encoder: PictureEncoder,
        breaker: Breaker,
        settings: PictureSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Imported here: who looks at no pictures needs no decoder.
        from serving.pictures import decoding

        self._decoder = decoding
        self.stored = pictures
        self._encoder = encoder
        self._breaker = breaker
        self._settings = settings
        self._clock = clock
        self._store = WaitingRoom("pictures", 2, 32)
        self._decoding = WaitingRoom("picture decoder", 2, 8)

    async def put(self, item_id: str, content: bytes) -> Row:
        """Keep the picture of an item, durably; a worker will look at it.

        Raises PictureError for what is none, and what WaitingRoom raises.
        """
        canvas = await self._decoding.do(lambda: self._decoder.canvas_of(self._kept(content)))
        await self._store.do(lambda: self.stored.put(item_id, canvas, self._clock()))
        kept = await self.get(item_id)
        assert kept is not None
        return kept

    async def take_back(self, item_id: str, url: str) -> None:
        """Forget the bytes that came; what stands at the item's `url` counts again."""
        await self._store.do(lambda: self.stored.take_back(item_id, url, self._clock()))

    async def get(self, item_id: str) -> Row | None:
        """What became of an item's picture; None: it has none, or nobody has looked yet."""
        return await self._store.do(lambda: self.stored.get(item_id))

    @property
    def reads(self) -> bool:
        """Whether what is written on pictures is read."""
        return self._settings.text is not None

    async def texts(self, item_ids: Sequence[str]) -> dict[str, str]:
        """What is written on the pictures of those items where anything is."""
        if not self.reads:
            return {}
        return await self._store.do(lambda: self.stored.texts(item_ids))

    async def vector(self, content: bytes, budget_s: float) -> FloatArray:
        """The unit vector (d,) of a picture that is searched with; raises PictureError,
        RankingError, OverloadedError."""
        deadline_s = time.monotonic() + budget_s
        try:
            async with asyncio.timeout(budget_s):
                pixels = await self._decoding.do(lambda: self._pixels(content))
        except TimeoutError:
            raise ModelTimeoutError("no time left behind the decoder") from None
        left_s = max(deadline_s - time.monotonic(), 0.001)
        trace = current_traceparent()
        vectors = await self._breaker.call(
            lambda budget_s: self._encoder.encode([pixels], budget_s, trace), left_s
        )
        vector: FloatArray = vectors[0]
        return vector

    def close(self) -> None:
        """Give back threads, files and connections of this shop."""
        self._store.close()
        self._decoding.close()
        self.stored.close()

    def _kept(self, content: bytes) -> Page:
        """As large as it is read, where that is done; as the encoder sees it then."""
        if self._settings.text is None:
            return self._pixels(content)
        limits = self._settings.max_bytes, self._settings.max_pixels
        return self._decoder.page_of(content, *limits, self._settings.text.max_side)

    def _pixels(self, content: bytes) -> Pixels:
        return self._decoder.pixels_of(content, self._settings.max_bytes, self._settings.max_pixels)
