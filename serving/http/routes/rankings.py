"""Rank, search, recommend, similar: the wire to the pipeline's values, and a slate to the wire."""

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, FastAPI, Query, Request, Response

from features.arrays import FloatArray
from features.catalog.counters import DAY_S
from serving.errors import ForbiddenError, InvalidRequestError, UnknownItemError
from serving.http import schemas
from serving.http.access.auth import Caller, Keyring, Scope
from serving.http.bodies import json_response, read_body, stages_of
from serving.http.dependencies import PathId, Scoped
from serving.http.direct import caller_of, direct
from serving.http.openapi import gives, takes
from serving.http.routes.answers import liked_response, response, search_response
from serving.http.routes.pictures import looks_of, pictures_of
from serving.http.schemas.items import SimilarQuery
from serving.http.schemas.kinds import BrandsRequest, CategoriesRequest, LikedResponse
from serving.http.schemas.rankings import (
    Asking,
    RankRequest,
    RankResponse,
    RecommendRequest,
    SearchRequest,
    SearchResponse,
)
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.request import Context, Given, Recommend, Search, Source
from serving.ranking.settings import PipelineSettings
from serving.ranking.values import Slate
from serving.search.cursor import Cursor, CursorError
from serving.search.filters import Filters
from serving.search.kinds import Kind
from serving.search.recommender import Likeness
from serving.shops.rules import Boost, Match
from serving.shops.shop import Shop, Shops
from serving.telemetry.stages import Stages
from serving.types import Stage

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
        rank = Scoped(keys, Scope.RANK)

        @direct(app, "/v1/rank", rank, openapi_extra=takes(RankRequest, RankResponse))
        async def rank_candidates(request: Request) -> Response:
            """Put the given candidates in the best order for this shopper."""
            body = await read_body(request, RankRequest)
            query = (body.query or "").strip() or None
            return await self._answer(request, body, query, _given(body))

        @direct(app, "/v1/search", rank, openapi_extra=takes(SearchRequest, SearchResponse))
        async def search(request: Request) -> Response:
            """Find items for a query and rank them for this shopper."""
            body = await read_body(request, SearchRequest)
            caller = caller_of(request)
            shop, query = self._shops.of(caller.shop), body.query.strip() or None
            looks = None
            if body.image is not None:
                default_ms = 1000 * self._settings.default_budget_s
                budget_s = (body.budget_ms or default_ms) / 2000
                with stages_of(request).stage(Stage.RETRIEVE):
                    looks = await looks_of(shop, body.image, budget_s, query is not None)
            source = _search(body, looks)
            slate = await self._slate(caller, body, query, source, stages_of(request))
            currency = shop.items.table.prices.currency or None
            return _ranked(slate, search_response(slate, source, body, currency))

        @direct(app, "/v1/recommend", rank, openapi_extra=takes(RecommendRequest, RankResponse))
        async def recommend(request: Request) -> Response:
            """Choose items for this shopper and rank them."""
            body = await read_body(request, RecommendRequest)
            source = Recommend(
                tuple(body.seed_item_ids), _filters(body.filters), tuple(body.cart_item_ids),
                collapse=body.collapse is not None,
            )  # fmt: skip
            return await self._answer(request, body, None, source)

        @direct(
            app, "/v1/recommend/brands", rank, openapi_extra=takes(BrandsRequest, LikedResponse)
        )
        async def recommend_brands(request: Request) -> Response:
            """Choose brands for this shopper."""
            return await self._kinds(request, await read_body(request, BrandsRequest), Kind())

        @direct(
            app, "/v1/recommend/categories", rank,
            openapi_extra=takes(CategoriesRequest, LikedResponse),
        )  # fmt: skip
        async def recommend_categories(request: Request) -> Response:
            """Choose categories for this shopper."""
            body = await read_body(request, CategoriesRequest)
            return await self._kinds(request, body, Kind(body.level))

        @app.get("/v1/items/{item_id:id}/similar", openapi_extra=gives(RankResponse))
        async def similar(
            request: Request,
            item_id: PathId,
            query: Annotated[SimilarQuery, Query()],
            caller: Annotated[Any, Depends(rank)],
        ) -> Response:
            """Items like this one."""
            body = RecommendRequest(
                limit=query.limit, user_id=query.user_id, session_id=query.session_id
            )
            shop = self._shops.of(caller.shop)
            by = None if query.by is None else Likeness(query.by)
            if by is Likeness.IMAGE:
                pictures_of(shop)
            if item_id not in shop.items.table.row_of:
                raise UnknownItemError("item_id: the catalogue has no such item")
            filters = Filters(bought_within_s=math.inf) if query.exclude_bought else None
            source = Recommend(
                (item_id,), filters, by=by, collapse=query.collapse is not None
            )  # fmt: skip
            slate = await self._slate(caller, body, None, source, stages_of(request))
            return _ranked(slate, response(slate))

    async def _answer(
        self, request: Request, body: _AnyRequest, query: str | None, source: Source
    ) -> Response:
        slate = await self._slate(caller_of(request), body, query, source, stages_of(request))
        return _ranked(slate, response(slate))

    async def _kinds(self, request: Request, body: BrandsRequest, kind: Kind) -> Response:
        shop, stages = self._shops.of(caller_of(request).shop), stages_of(request)
        context = self._context(shop, body, stages)
        filters = _filters(body.filters)
        found, reason = await self._pipeline.kinds(shop, kind, filters, context, stages)
        return json_response(liked_response(found[: body.limit], reason))

    async def _slate(
        self, caller: Caller, body: _AnyRequest, query: str | None, source: Source, stages: Stages
    ) -> Slate:
        shop = self._shops.of(caller.shop)
        context = replace(
            self._context(shop, body, stages),
            query=query,
            limit=body.limit,
            offset=body.offset if isinstance(body, SearchRequest) else 0,
            explain=body.explain,
            boosts=_boosts(body, caller.max_boost),
            max_boost=caller.max_boost,
        )
        return await self._pipeline.rank(shop, source, context, stages)

    def _context(self, shop: Shop, body: Asking, stages: Stages) -> Context:
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
            locale=given.locale,
            device=given.device,
            placement=given.page,
        )


def _ranked(slate: Slate, body: dict[str, Any]) -> Response:
    return json_response(body, headers={"x-vitrine-variant": slate.assignment.variant})


def _search(body: SearchRequest, looks: FloatArray | None) -> Search:
    try:
        shown = Cursor.read(body.cursor)
    except CursorError as error:
        raise InvalidRequestError(f"cursor: {error}") from None
    return Search(
        body.query.strip(), _filters(body.filters), body.sort, shown, tuple(body.facets), looks,
        body.collapse is not None,
    )  # fmt: skip


def _given(body: RankRequest) -> Given:
    item_ids: list[str] = []
    scores: list[float | None] = []
    for candidate in body.candidates:
        if isinstance(candidate, str):
            item_ids.append(candidate)
            scores.append(None)
        else:
            item_ids.append(candidate.item_id)
            scores.append(candidate.retrieval_score)
    return Given(item_ids, np.array(scores, np.float32), _filters(body.filters))  # None is NaN


def _boosts(body: _AnyRequest, max_boost: float) -> tuple[Boost, ...]:
    """Raises ForbiddenError for what the key does not allow."""
    for place, boost in enumerate(body.boosts):
        if abs(boost.lift) > max_boost:
            allowed = f"at most {max_boost:g}" if max_boost else "none"
            raise ForbiddenError(f"boosts.{place}.lift: this key allows {allowed} (max_boost)")
    reason = "asked for with the request"
    return tuple(
        Boost(match=Match.model_validate(boost.match.model_dump()), lift=boost.lift, reason=reason)
        for boost in body.boosts
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
