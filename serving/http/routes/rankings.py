"""Rank, search, recommend, similar: the wire to the pipeline's values, and a slate to the wire."""

import math
import time
import uuid
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, FastAPI, Query, Request, Response

from features.catalog.counters import DAY_S
from serving.errors import InvalidRequestError, UnknownItemError
from serving.http import schemas
from serving.http.access.auth import Caller, Keyring, Scope
from serving.http.bodies import json_response, read_body, stages_of
from serving.http.dependencies import PathId, Scoped
from serving.http.openapi import gives, takes
from serving.http.schemas.rankings import (
    Candidate,
    RankRequest,
    RankResponse,
    RecommendRequest,
    SearchRequest,
    SearchResponse,
    SimilarQuery,
)
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.request import Context, Given, Recommend, Search, Source
from serving.ranking.settings import PipelineSettings
from serving.ranking.slate.explain import explain
from serving.ranking.values import Slate
from serving.search.cursor import Cursor, CursorError
from serving.search.filters import Filters
from serving.shops.shop import Shop, Shops
from serving.telemetry.stages import Stages
from serving.types import Reason

_AnyRequest = RankRequest | SearchRequest | RecommendRequest


class RankingRoutes:
    """The endpoints that answer a slate."""

    def __init__(
        self,
        pipeline: RankingPipeline,
        shops: Shops,
        settings: PipelineSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pipeline = pipeline
        self._shops = shops
        self._settings = settings
        self._clock = clock

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them; a key needs the scope `rank`."""
        rank = Depends(Scoped(keys, Scope.RANK))

        @app.post("/v1/rank", openapi_extra=takes(RankRequest, RankResponse))
        async def rank_candidates(request: Request, caller: Annotated[Any, rank]) -> Response:
            """Put the given candidates in the best order for this shopper."""
            body = await read_body(request, RankRequest)
            query = (body.query or "").strip() or None
            return await self._answer(caller, body, query, _given(body), stages_of(request))

        @app.post("/v1/search", openapi_extra=takes(SearchRequest, SearchResponse))
        async def search(request: Request, caller: Annotated[Any, rank]) -> Response:
            """Find items for a query and rank them for this shopper."""
            body = await read_body(request, SearchRequest)
            source = _search(body)
            query = body.query.strip() or None
            slate = await self._slate(caller, body, query, source, stages_of(request))
            currency = self._shops.of(caller.shop).items.table.prices.currency or None
            return _ranked(slate, search_response(slate, source, body, currency))

        @app.post("/v1/recommend", openapi_extra=takes(RecommendRequest, RankResponse))
        async def recommend(request: Request, caller: Annotated[Any, rank]) -> Response:
            """Choose items for this shopper and rank them."""
            body = await read_body(request, RecommendRequest)
            source = Recommend(tuple(body.seed_item_ids), _filters(body.filters))
            return await self._answer(caller, body, None, source, stages_of(request))

        @app.get("/v1/items/{item_id:id}/similar", openapi_extra=gives(RankResponse))
        async def similar(
            request: Request,
            item_id: PathId,
            query: Annotated[SimilarQuery, Query()],
            caller: Annotated[Any, rank],
        ) -> Response:
            """Items like this one."""
            body = RecommendRequest(
                limit=query.limit, user_id=query.user_id, session_id=query.session_id
            )
            if item_id not in self._shops.of(caller.shop).items.table.row_of:
                raise UnknownItemError("item_id: the catalogue has no such item")
            filters = Filters(bought_within_s=math.inf) if query.exclude_bought else None
            source = Recommend((item_id,), filters)
            return await self._answer(caller, body, None, source, stages_of(request))

    async def _answer(
        self, caller: Caller, body: _AnyRequest, query: str | None, source: Source, stages: Stages
    ) -> Response:
        slate = await self._slate(caller, body, query, source, stages)
        return _ranked(slate, response(slate))

    async def _slate(
        self, caller: Caller, body: _AnyRequest, query: str | None, source: Source, stages: Stages
    ) -> Slate:
        shop = self._shops.of(caller.shop)
        context = self._context(shop, body, query, stages)
        return await self._pipeline.rank(shop, source, context, stages)

    def _context(self, shop: Shop, body: _AnyRequest, query: str | None, stages: Stages) -> Context:
        limits = self._settings
        budget_s = (body.budget_ms or 1000 * limits.default_budget_s) / 1000
        given = body.context
        return Context(
            ranking_id=uuid.uuid4().hex,
            at_s=given.at.timestamp() if given.at else self._clock(),
            # The wait before this process is of the budget, too.
            deadline_s=time.monotonic() - stages.waited_s + min(budget_s, limits.max_budget_s),
            user_id=shop.pseudonyms.user(body.user_id),
            session_id=shop.pseudonyms.session(body.session_id),
            query=query,
            limit=body.limit,
            offset=body.offset if isinstance(body, SearchRequest) else 0,
            explain=body.explain,
            locale=given.locale,
            device=given.device,
            placement=given.page,
        )


def response(slate: Slate) -> dict[str, Any]:
    """The body of a RankResponse; built as plain data, for it is on the hot path."""
    item_ids = slate.candidates.item_ids
    items = []
    propensities = slate.propensity.tolist()
    values = slate.values[slate.order].tolist()
    relevance = slate.candidates.relevance
    relevances = None if relevance is None else relevance[slate.order].tolist()
    for place, index in enumerate(slate.order.tolist()):
        item: dict[str, Any] = {
            "item_id": item_ids[index],
            "score": values[place],
            "relevance": None if relevances is None else relevances[place],
            "position": place + 1,
            "propensity": propensities[place],
        }
        if slate.context.explain:
            item["explanation"] = explain(slate, index).as_dict()
        items.append(item)
    return {
        "ranking_id": slate.context.ranking_id,
        "route": slate.route.value,
        "reason": slate.reason.value if slate.reason else None,
        "model_version": slate.scores.model_version,
        "items": items,
        **({"exclude_bought": slate.exclusion.value} if slate.exclusion else {}),
    }


def search_response(
    slate: Slate, source: Search, body: SearchRequest, currency: str | None
) -> dict[str, Any]:
    """The body of a SearchResponse. currency: of the shop."""
    answer = response(slate)
    found, shown = slate.candidates.found, [item["item_id"] for item in answer["items"]]
    assert found is not None
    more = found.more or len(slate.candidates) > body.offset + len(shown)
    answer["total"] = found.total
    answer["cursor"] = source.shown.after(shown) if more and shown else None
    if body.facets:
        answer["facets"] = found.facets.counts
        if found.facets.prices:
            figures = dict(zip(("min", "max", "mean"), found.facets.prices, strict=True))
            answer["prices"] = {**figures, "currency": currency}
    if body.suggestions:
        answer["suggestions"] = [
            {"item_id": item_id, "relevance": relevance}
            for item_id, relevance in found.nearest
            if slate.reason is Reason.NO_MATCH
        ]
    return answer


def _ranked(slate: Slate, body: dict[str, Any]) -> Response:
    return json_response(body, headers={"x-vitrine-variant": slate.assignment.variant})


def _search(body: SearchRequest) -> Search:
    try:
        shown = Cursor.read(body.cursor)
    except CursorError as error:
        raise InvalidRequestError(f"cursor: {error}") from None
    return Search(body.query.strip(), _filters(body.filters), body.sort, shown, tuple(body.facets))


def _given(body: RankRequest) -> Given:
    item_ids, scores = [], []
    for candidate in body.candidates:
        named = candidate if isinstance(candidate, Candidate) else Candidate(item_id=candidate)
        item_ids.append(named.item_id)
        scores.append(math.nan if named.retrieval_score is None else named.retrieval_score)
    return Given(
        item_ids,
        np.array(scores, np.float32),
        _filters(body.filters),
    )


def _filters(filters: schemas.rankings.Filters | None) -> Filters | None:
    if filters is None or not filters.model_fields_set:
        return None
    category = filters.category
    categories = [category] if isinstance(category, str) else category
    return Filters(
        categories=None if categories is None else tuple(categories),
        brands=None if filters.brand is None else tuple(filters.brand),
        exclude_brands=tuple(filters.exclude_brand),
        attributes={name: tuple(values) for name, values in filters.attributes.items()},
        min_price=filters.min_price,
        max_price=filters.max_price,
        exclude_item_ids=tuple(filters.exclude_item_ids),
        available=filters.available,
        bought_within_s=_bought_within_s(filters.exclude_bought),
    )


def _bought_within_s(bought: bool | schemas.rankings.Bought) -> float | None:
    if isinstance(bought, bool):
        return math.inf if bought else None
    return bought.within_days * DAY_S
