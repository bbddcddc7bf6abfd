"""Follows the catalogue of a shop, and looks at the pictures that nobody has looked at yet.

What waits stands in the store, so a worker that ends loses nothing, and several may run. A picture
that cannot be had never holds an item back: it is told (`GET /v1/items/{item_id}/image`), counted,
and tried again after waits that double.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Protocol

import numpy as np

from features.catalog.store import CatalogChanges
from features.controls.shops import DEFAULT_SHOP
from features.pictures.pictures import Pictures
from features.pictures.store import UPLOADED, PictureState, Row
from serving.errors import RankingError
from serving.models.contract import PICTURE_ENCODER
from serving.pictures.decoding import pixels_of
from serving.pictures.encoder import PictureEncoder
from serving.pictures.fetching import Fetcher
from serving.pictures.problems import PictureError, PictureProblem, Pixels
from serving.pictures.settings import FetchSettings, PictureSettings
from serving.pictures.working import Work, work_until
from serving.telemetry.picture_metrics import PICTURES, PICTURES_LOOKED_AT

_LOG = logging.getLogger("vitrine.pictures")
_MODEL_AGAIN_S = 5.0
_BUDGET_S = 30.0
_MOST_WAIT_S = 24 * 3600.0


class CatalogFeed(Protocol):
    """Changes of the catalogue; features.catalog.store.Catalog has them."""

    def changed_since(self, change: int) -> CatalogChanges:
        """Items added, replaced or deleted behind `change`."""
        ...


class PictureWorker:
    """The worker of one shop. Stores are asked in threads, and pictures decoded in those of
    `decoding`: they hold much memory.
    """

    def __init__(
        self,
        pictures: Pictures,
        catalog: CatalogFeed,
        fetcher: Fetcher,
        encoder: PictureEncoder,
        settings: PictureSettings,
        decoding: Executor,
        shop: str = DEFAULT_SHOP,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pictures = pictures
        self._catalog = catalog
        self._fetcher = fetcher
        self._encoder = encoder
        self._settings = settings
        self._clock = clock
        self._change = 0
        self._decoding = decoding
        self._shop = shop

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A store that fails is asked again."""
        await asyncio.to_thread(self.begin)
        work = Work(
            follow=self.follow,
            claim=lambda free: self._pictures.claim(self._clock(), free),
            look=self._look_and_tell,
            at_once=self._settings.fetch.at_once,
            interval_s=self._settings.interval_s,
        )
        await work_until(stop, work)

    def begin(self) -> None:
        """Have looked at again what other settings or another encoder would judge otherwise."""
        now_s = self._clock()
        n_old = self._pictures.renew(PICTURE_ENCODER, now_s)
        n_old += self._pictures.reconsider(PictureProblem.HOST_NOT_ALLOWED, now_s)
        if n_old:
            _LOG.info("%d pictures of %s are looked at again", n_old, self._shop)

    def follow(self) -> None:
        """Take over the URLs of what changed in the catalogue, and that items are gone."""
        changes = self._catalog.changed_since(self._change)
        self._pictures.drop(changes.deletions)
        if self._settings.fetch.hosts:
            urls = {item.item_id: item.image_url for item in changes.upserts}
            self._pictures.expect(urls, self._clock())
        self._change = changes.change
        tell_counts(self._shop, self._pictures.counts())

    async def _look_and_tell(self, row: Row) -> None:
        """Look at one picture, and tell what came of it."""
        try:
            vectors = await self._encoder.encode([await self._pixels(row)], _BUDGET_S)
            vector = vectors[0].astype(np.float16)
            await asyncio.to_thread(self._pictures.done, row, vector, PICTURE_ENCODER)
            PICTURES_LOOKED_AT.labels(outcome="ready").inc()
        except PictureError as error:
            await self._failed(row, error)
        except RankingError:
            kept = replace(row, tries=row.tries - 1)  # it was not the picture's fault
            due_s = self._clock() + _MODEL_AGAIN_S
            await asyncio.to_thread(
                self._pictures.failed, kept, PictureProblem.MODEL_UNAVAILABLE, due_s
            )
            PICTURES_LOOKED_AT.labels(outcome=PictureProblem.MODEL_UNAVAILABLE.value).inc()

    async def _pixels(self, row: Row) -> Pixels:
        """Of one picture; raises PictureError."""
        limits = self._settings
        if row.tries > limits.fetch.max_tries:
            raise PictureError(PictureProblem.GAVE_UP)
        content = await content_of(row, self._pictures, self._fetcher)
        return await asyncio.get_running_loop().run_in_executor(
            self._decoding, pixels_of, content, limits.max_bytes, limits.max_pixels
        )

    async def _failed(self, row: Row, error: PictureError) -> None:
        due_s = None
        if error.retry and row.tries < self._settings.fetch.max_tries:
            due_s = self._clock() + wait_s(self._settings.fetch, row.tries)
        await asyncio.to_thread(self._pictures.failed, row, error.problem, due_s)
        PICTURES_LOOKED_AT.labels(outcome=error.problem.value).inc()


async def content_of(row: Row, pictures: Pictures, fetcher: Fetcher) -> bytes:
    """The bytes of a picture, uploaded or at its URL; raises PictureError."""
    if row.origin != UPLOADED:
        return await fetcher.fetch(row.origin)
    content = await asyncio.to_thread(pictures.canvas, row.item_id)
    if content is None:
        raise PictureError(PictureProblem.NOT_FOUND)
    return content


def wait_s(fetch: FetchSettings, tries: int) -> float:
    """Seconds before the next try."""
    return min(fetch.first_wait_s * 2.0 ** (tries - 1), _MOST_WAIT_S)


def tell_counts(shop: str, counts: Mapping[PictureState, int]) -> None:
    """How many pictures of a shop are in each state, as a metric."""
    for state in (PictureState.WAITING, PictureState.READY, PictureState.FAILED):
        PICTURES.labels(shop=shop, state=state.value).set(counts.get(state, 0))
