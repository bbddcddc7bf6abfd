"""From a validated request to a response: what the storefront may ask for."""

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from features.behavior.matrix import FEATURE_NAMES, Shopper
from serving.errors import FeaturesUnavailableError, OverloadedError, RankingError
from serving.http.schemas.rankings import RankRequest, RecommendRequest, SearchRequest
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.shopper_features import FeatureLookup
from serving.ranking.values import RankingRequest, Slate
from serving.search.filters import allowed
from serving.search.retrieval import Retrieval, Retrieved
from serving.settings import Settings
from serving.shops.items import ItemCache
from serving.shops.pseudonyms import Pseudonyms
from serving.telemetry.metrics import RANKINGS
from serving.telemetry.stages import Stages
from serving.types import FloatArray, Stage


class QueryEncoder(Protocol):
    """Vectors of queries for dense retrieval."""

    async def vector(self, query: str, budget_s: float) -> FloatArray:
        """The unit vector of `query`; raises a RankingError."""
        ...


class RankingRecorder(Protocol):
    """Keeps answered rankings for training; must return at once."""

    def record(self, slate: Slate) -> None:
        """Take a slate over."""
        ...


class Rankings:
    """Answers rank, search, recommend and similar; every answer is the pipeline's."""

    def __init__(
        self,
        pipeline: RankingPipeline,
        lookup: FeatureLookup,
        items: ItemCache,
        retrieval: Retrieval,
        queries: QueryEncoder,
        recorder: RankingRecorder,
        pseudonyms: Pseudonyms,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pipeline = pipeline
        self._lookup = lookup
        self._items = items
        self._retrieval = retrieval
        self._queries = queries
        self._recorder = recorder
        self._pseudonyms = pseudonyms
        self._settings = settings
        self._clock = clock
        self._ongoing = 0
        self._turns = asyncio.Semaphore(settings.admission.max_concurrent_rankings)
        # Retrieval takes milliseconds of a large catalogue: others go on meanwhile.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="retrieval")

    async def rank(self, asked: RankRequest, stages: Stages) -> dict[str, Any]:
        """Order the given candidates."""
        request = self._request(asked, asked.query, stages)
        async with self._admitted(request, stages):
            return await self._answer(_offered(request, asked, self._items), stages)

    async def search(self, asked: SearchRequest, stages: Stages) -> dict[str, Any]:
        """Find candidates for a query and order them."""
        request = self._request(asked, asked.query, stages)
        async with self._admitted(request, stages):
            with stages.stage(Stage.RETRIEVE):
                try:
                    left_s = request.deadline_s - time.monotonic()
                    budget_s = min(left_s / 2, self._settings.pipeline.model_share_s(left_s))
                    vector = await self._queries.vector(asked.query, budget_s)
                except RankingError:
                    vector = None  # the lexical index answers alone
                found = await self._retrieve(
                    lambda: self._retrieval.search(
                        asked.query, vector, asked.filters, self._settings.retrieval.candidates
                    )
                )
            return await self._answer(_with(request, found), stages)

    async def recommend(self, asked: RecommendRequest, stages: Stages) -> dict[str, Any]:
        """Choose candidates for a shopper and order them."""
        request = replace(
            self._request(asked, None, stages), seed_item_ids=tuple(asked.seed_item_ids)
        )
        async with self._admitted(request, stages):
            with stages.stage(Stage.RETRIEVE):
                shopper = await self._shopper(request)
                found = await self._retrieve(
                    lambda: self._retrieval.recommend(
                        shopper or Shopper(),
                        request.seed_item_ids,
                        asked.filters,
                        self._settings.retrieval.candidates,
                    )
                )
            return await self._answer(_with(request, found), stages, shopper)

    async def similar(self, item_id: str, limit: int, stages: Stages) -> dict[str, Any]:
        """Items like one item."""
        return await self.recommend(RecommendRequest(seed_item_ids=[item_id], limit=limit), stages)

    async def _shopper(self, request: RankingRequest) -> Shopper | None:
        """Read once, for retrieval and pipeline; None when the store does not answer in time."""
        left_s = request.deadline_s - time.monotonic()
        budget_s = min(self._settings.pipeline.features_budget_s, left_s / 2)
        try:
            return await self._lookup.shopper(request, max(budget_s, 0.001))
        except FeaturesUnavailableError:
            return None  # retrieval goes on with what is popular; the pipeline says why

    async def _retrieve(self, find: Callable[[], Retrieved]) -> Retrieved:
        return await asyncio.get_running_loop().run_in_executor(self._pool, find)

    @asynccontextmanager
    async def _admitted(self, request: RankingRequest, stages: Stages) -> AsyncIterator[None]:
        """A permit before any work: what cannot be answered in time is refused.

        Few are worked on at once, in the order of their arrival: with more, the model's replies
        wait for the one event loop until all seem late, and a model that is well seems to hang.
        """
        if self._ongoing >= self._settings.admission.max_ongoing_rankings:
            raise OverloadedError("too many rankings are under way", 1)
        self._ongoing += 1
        try:
            stages.waited()
            await self._turn(request, stages)
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._ongoing -= 1

    async def _turn(self, request: RankingRequest, stages: Stages) -> None:
        """Wait for a turn, for half of what is left: the other half is for the work."""
        if not self._turns.locked():
            await self._turns.acquire()
            return
        left_s = request.deadline_s - time.monotonic()
        try:
            with stages.stage(Stage.WAIT):
                async with asyncio.timeout(left_s / 2):
                    await self._turns.acquire()
        except TimeoutError:
            raise OverloadedError("no turn came in time", 1) from None

    def _request(
        self, asked: RankRequest | SearchRequest | RecommendRequest, query: str | None,
        stages: Stages,
    ) -> RankingRequest:  # fmt: skip
        limits = self._settings.pipeline
        budget_s = (asked.budget_ms or 1000 * limits.default_budget_s) / 1000
        at = asked.context.at
        return RankingRequest(
            ranking_id=uuid.uuid4().hex,
            item_ids=[],
            retrieval_score=np.zeros(0, np.float32),
            at_s=at.timestamp() if at else self._clock(),
            deadline_s=time.monotonic() - stages.waited_s + min(budget_s, limits.max_budget_s),
            user_id=self._pseudonyms.user(asked.user_id),
            session_id=self._pseudonyms.session(asked.session_id),
            query=query,
            limit=asked.limit,
            explain=asked.explain,
        )

    async def _answer(
        self, request: RankingRequest, stages: Stages, shopper: Shopper | None = None
    ) -> dict[str, Any]:
        slate = await self._pipeline.rank(request, stages, shopper)
        RANKINGS.labels(route=slate.route.value, reason=slate.reason or "none").inc()
        self._recorder.record(slate)
        return response(slate)


def response(slate: Slate) -> dict[str, Any]:
    """The body of a RankResponse; built as plain data, for it is on the hot path."""
    request, scores = slate.request, slate.scores
    items = []
    propensities = slate.propensity.tolist()
    values = scores.values[slate.order].tolist()
    for place, index in enumerate(slate.order.tolist()):
        item: dict[str, Any] = {
            "item_id": request.item_ids[index],
            "score": values[place],
            "position": place + 1,
            "propensity": propensities[place],
        }
        if request.explain:
            item["explanation"] = _explanation(slate, index)
        items.append(item)
    return {
        "ranking_id": request.ranking_id,
        "route": slate.route.value,
        "reason": slate.reason.value if slate.reason else None,
        "model_version": scores.model_version,
        "items": items,
    }


def _explanation(slate: Slate, index: int) -> dict[str, Any]:
    features = slate.features.values[index]
    parts = {
        name: float(value)
        for name, value in zip(slate.scores.part_names, slate.scores.parts[index], strict=True)
        if math.isfinite(value)
    }
    return {
        "known_item": bool(slate.features.rows[index] >= 0),
        "text_match": parts.pop("text", None),  # a cosine, not a part of the sum
        "parts": parts,
        "features": {
            name: float(value)
            for name, value in zip(FEATURE_NAMES, features, strict=True)
            if math.isfinite(value)
        },
        "rules": slate.notes.get(index, []),
    }


def _with(request: RankingRequest, found: Retrieved) -> RankingRequest:
    return replace(request, item_ids=found.item_ids, retrieval_score=found.score)


def _offered(request: RankingRequest, asked: RankRequest, items: ItemCache) -> RankingRequest:
    """`request` with the candidates that the filters let through."""
    item_ids = [candidate.item_id for candidate in asked.candidates]
    score = np.array(
        [
            math.nan if candidate.retrieval_score is None else candidate.retrieval_score
            for candidate in asked.candidates
        ],
        np.float32,
    )
    keep = allowed(items.table, items.table.rows(item_ids), asked.filters)
    if asked.filters is not None and asked.filters.exclude_item_ids:
        # An item outside the catalogue has no row to be excluded by.
        excluded = frozenset(asked.filters.exclude_item_ids)
        keep &= np.array([item_id not in excluded for item_id in item_ids], bool)
    if not keep.all():
        item_ids = [item_id for item_id, kept in zip(item_ids, keep.tolist(), strict=True) if kept]
        score = score[keep]
    return replace(request, item_ids=item_ids, retrieval_score=score)
