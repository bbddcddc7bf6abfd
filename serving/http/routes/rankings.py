"""Rank, search, recommend, similar: what is asked on the wire, through the pipeline, and back."""

import math
import time
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, FastAPI, Query, Request, Response

from serving.errors import UnknownItemError
from serving.http.access.auth import Caller, Keyring, Scope
from serving.http.bodies import json_response, read_body, stages_of, with_bare_ids
from serving.http.dependencies import PathId, Scoped
from serving.http.direct import caller_of, direct
from serving.http.openapi import gives, takes
from serving.http.pictures.routes import looks_of, pictures_of
from serving.http.routes.answers import liked_response, response, search_response
from serving.http.routes.asking import (
    AnyRequest,
    Contexts,
    boosts_of,
    filters_of,
    given,
    placement_of,
    searched,
)
from serving.http.schemas.explanation import explain_of
from serving.http.schemas.items import SimilarQuery
from serving.http.schemas.kinds import BrandsRequest, CategoriesRequest, LikedResponse
from serving.http.schemas.rankings import (
    RankRequest,
    RankResponse,
    RecommendRequest,
    SearchRequest,
    SearchResponse,
)
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.placements.placed import placed
from serving.ranking.request import Recommend, Search, Source
from serving.ranking.values import Slate
from serving.search.filters import Filters
from serving.search.kinds import Kind
from serving.search.recommender import Likeness
from serving.shops.shop import Shops
from serving.telemetry.stages import Stages
from serving.types import Stage


class Ranked(NamedTuple):
    """A slate, and the body that tells it."""

    slate: Slate
    body: dict[str, Any]


class RankingRoutes:
    """The endpoints that answer a slate, over the methods that make one."""

    def __init__(self, pipeline: RankingPipeline, shops: Shops, contexts: Contexts) -> None:
        self._pipeline = pipeline
        self._shops = shops
        self._contexts = contexts

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them; a key needs the scope `rank`."""
        rank = Scoped(keys, Scope.RANK)

        @direct(app, "/v1/rank", rank, openapi_extra=takes(RankRequest, RankResponse))
        async def rank_candidates(request: Request) -> Response:
            """Put the given candidates in the best order for this shopper."""
            body = await read_body(request, RankRequest, with_bare_ids)
            return _told(await self.rank(caller_of(request), body, stages_of(request)))

        @direct(app, "/v1/search", rank, openapi_extra=takes(SearchRequest, SearchResponse))
        async def search(request: Request) -> Response:
            """Find items for a query and rank them for this shopper."""
            body = await read_body(request, SearchRequest)
            return _told(await self.search(caller_of(request), body, stages_of(request)))

        @direct(app, "/v1/recommend", rank, openapi_extra=takes(RecommendRequest, RankResponse))
        async def recommend(request: Request) -> Response:
            """Choose items for this shopper and rank them."""
            body = await read_body(request, RecommendRequest)
            return _told(await self.recommend(caller_of(request), body, stages_of(request)))

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
            return _told(await self.similar(caller, item_id, query, stages_of(request)))

    async def rank(self, caller: Caller, body: RankRequest, stages: Stages) -> Ranked:
        """The given candidates in the best order."""
        query = (body.query or "").strip() or None
        return _ranked(await self._slate(caller, body, query, given(body), stages))

    async def search(self, caller: Caller, body: SearchRequest, stages: Stages) -> Ranked:
        """Items for a query."""
        shop, query = self._shops.of(caller.shop), body.query.strip() or None
        began_s, looks = time.monotonic(), None
        if body.image is not None:
            budget_s = self._contexts.budget_s(body) / 2
            with stages.stage(Stage.RETRIEVE):
                looks = await looks_of(shop, body.image, budget_s, query is not None)
        source = searched(body, looks)
        slate = await self._slate(caller, body, query, source, stages, began_s)
        currency = shop.items.table.prices.currency or None
        return Ranked(slate, search_response(slate, source, body, currency))

    async def recommend(self, caller: Caller, body: RecommendRequest, stages: Stages) -> Ranked:
        """Items for the shopper, like some, or that go with a cart."""
        filters = filters_of(body.filters)
        source = Recommend(
            tuple(body.seed_item_ids), filters, tuple(body.cart_item_ids),
            collapse=body.collapse is not None,
        )  # fmt: skip
        return _ranked(await self._slate(caller, body, None, source, stages))

    async def similar(
        self, caller: Caller, item_id: str, query: SimilarQuery, stages: Stages
    ) -> Ranked:
        """Items like one; raises UnknownItemError."""
        shop = self._shops.of(caller.shop)
        by = None if query.by is None else Likeness(query.by)
        if by is Likeness.IMAGE:
            pictures_of(shop)
        if item_id not in shop.items.table.row_of:
            raise UnknownItemError("item_id: the catalogue has no such item")
        body = RecommendRequest(
            limit=query.limit, user_id=query.user_id, session_id=query.session_id,
            personalize=query.personalize,
        )  # fmt: skip
        filters = Filters(bought_within_s=math.inf) if query.exclude_bought else None
        source = Recommend((item_id,), filters, by=by, collapse=query.collapse is not None)
        return _ranked(await self._slate(caller, body, None, source, stages))

    async def _kinds(self, request: Request, body: BrandsRequest, kind: Kind) -> Response:
        shop, stages = self._shops.of(caller_of(request).shop), stages_of(request)
        context = self._contexts.of(shop, body, stages)
        filters = filters_of(body.filters)
        found, reason = await self._pipeline.kinds(shop, kind, filters, context, stages)
        return json_response(liked_response(found[: body.limit], reason))

    async def _slate(
        self,
        caller: Caller,
        body: AnyRequest,
        query: str | None,
        source: Source,
        stages: Stages,
        began_s: float | None = None,
    ) -> Slate:
        """began_s: on the monotonic clock, when the budget began; None: now."""
        shop = self._shops.of(caller.shop)
        if body.placement is not None:
            source = placed(source, body.placement, placement_of(shop, body.placement))
            query = source.query or None if isinstance(source, Search) else query
        context = self._contexts.of(shop, body, stages)
        spent_s = 0.0 if began_s is None else time.monotonic() - began_s
        context = replace(
            context,
            deadline_s=context.deadline_s - spent_s,
            query=query,
            limit=body.limit,
            offset=body.offset if isinstance(body, SearchRequest) else 0,
            explain=explain_of(body.explain),
            boosts=boosts_of(body, caller.max_boost),
            max_boost=caller.max_boost,
            placement=body.placement,
            user_context=body.user_context,
        )
        return await self._pipeline.rank(shop, source, context, stages)


def _ranked(slate: Slate) -> Ranked:
    return Ranked(slate, response(slate))


def _told(ranked: Ranked) -> Response:
    return json_response(
        ranked.body, headers={"x-vitrine-variant": ranked.slate.assignment.variant}
    )
