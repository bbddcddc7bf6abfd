"""Where a request's candidates come from: the caller, a search, the shopper, or items like some."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np

from features.arrays import DoubleArray, FloatArray, RowArray
from features.behavior.matrix import Shopper
from features.catalog.table import ItemTable
from serving.errors import RankingError
from serving.models.encoder import Encoder
from serving.ranking.request import Context, Given, Recommend, Search, Sort, Source
from serving.ranking.settings import PipelineSettings
from serving.ranking.values import Candidates, Found
from serving.search.dense import between
from serving.search.facets import facets_of
from serving.search.filters import Filters
from serving.search.kinds import Kind, Liked
from serving.search.recommender import Retrieved
from serving.search.relevance import Least
from serving.search.settings import RetrievalSettings
from serving.shops.placements.placement import Strategy
from serving.shops.shop import Shop
from serving.telemetry.stages import Stages
from serving.types import Stage

_Result = TypeVar("_Result")
_MOST_FOUND = 1_000  # items of a search that are counted, or put into another order
_SORTED_SHARE = 0.5  # of the best one's relevance that an item needs to be sorted by price


class Sources:
    """The first stage of a ranking: from what was asked to candidates with their rows."""

    def __init__(
        self, encoder: Encoder, retrieval: RetrievalSettings, pipeline: PipelineSettings
    ) -> None:
        self._encoder = encoder
        self._n_candidates = retrieval.candidates
        self._settings = pipeline
        # Retrieval takes milliseconds of a large catalogue: others go on meanwhile.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="retrieval")

    async def candidates(
        self, shop: Shop, source: Source, context: Context, states: Shopper, stages: Stages
    ) -> Candidates:
        """What will be ranked. `states`: of the shopper, as far as known."""
        match source:
            case Given():
                given = self._given(shop, source)
                if context.query is None or len(given) == 0:
                    return given
                with stages.stage(Stage.RETRIEVE):
                    return await self._matched(shop, context, given, context.query)
            case Search():
                with stages.stage(Stage.RETRIEVE):
                    return await self._search(shop, states, context, source)
            case Recommend():
                with stages.stage(Stage.RETRIEVE):
                    return await self._recommend(shop, states, source)

    def _given(self, shop: Shop, source: Given) -> Candidates:
        """The caller's candidates that the filters let through."""
        table, filters = shop.items.table, source.filters
        rows = table.rows(source.item_ids)
        keep = shop.retrieval.allowed(rows, filters)
        if filters is not None and filters.exclude_item_ids:
            # An item outside the catalogue has no row to be excluded by.
            excluded = frozenset(filters.exclude_item_ids)
            keep &= np.array([item_id not in excluded for item_id in source.item_ids], bool)
        if keep.all():
            return Candidates(source.item_ids, rows, source.retrieval_score)
        kept = [
            item_id for item_id, keeps in zip(source.item_ids, keep.tolist(), strict=True) if keeps
        ]
        return Candidates(kept, rows[keep], source.retrieval_score[keep])

    async def _matched(
        self, shop: Shop, context: Context, given: Candidates, query: str
    ) -> Candidates:
        """The caller's candidates with how they match the query."""
        vector = await self._query_vector(shop, context, query)
        matches = await self._in_pool(lambda: shop.retrieval.matches(query, vector, given.rows))
        return replace(given, matches=matches)

    async def _search(
        self, shop: Shop, states: Shopper, context: Context, source: Search
    ) -> Candidates:
        """The most relevant items; by words alone without the encoder; browsing without a query."""
        # Facets and another order are of all that is found, not only of the best.
        wide = bool(source.facets) or source.sort is not Sort.RELEVANCE
        n_asked = context.offset + (context.limit or 0)
        n_candidates = max(self._n_candidates, n_asked)
        limit = self._n_candidates + n_asked + len(source.shown)
        query, retrieval, table = context.query, shop.retrieval, shop.items.table
        vector = await self._query_vector(shop, context, query) if query is not None else None
        floor = self._settings.relevance_floor
        least = None if floor is None else Least(floor)

        def find() -> Candidates:
            if source.looks is not None:
                depth = _MOST_FOUND if wide else limit
                found = retrieval.looks_like(source.looks, source.filters, depth, query, vector)
                return searched(table, source, once(found), found.rows, n_candidates)
            if query is not None:
                depth = _MOST_FOUND if wide else limit
                found = retrieval.search(query, vector, source.filters, depth, least)
                return searched(table, source, once(found), found.rows, n_candidates)
            everything = retrieval.browse(source.filters) if wide else None
            if everything is not None and source.sort is not Sort.RELEVANCE:
                found = Retrieved(everything, np.full(len(everything), np.nan, np.float32))
            else:
                found = retrieval.recommend(states, (), source.filters, limit)
            counted = found.rows if everything is None else everything
            return searched(table, source, once(found), counted, n_candidates)

        def once(found: Retrieved) -> Retrieved:
            return retrieval.collapsed(found) if source.collapse else found

        return await self._in_pool(find)

    async def _recommend(self, shop: Shop, states: Shopper, source: Recommend) -> Candidates:
        """Items by a strategy; else for the shopper, or like the seeds, or that go with a cart."""

        def retrieve() -> Retrieved:
            retrieval, filters = shop.retrieval, source.filters
            limit = source.at_most or self._n_candidates
            seeds = source.seed_item_ids
            match source.strategy:
                case Strategy.BECAUSE:
                    found = retrieval.alike(seeds, filters, limit)
                case Strategy.BOUGHT_AGAIN:
                    found = retrieval.bought(states, filters, limit)
                case Strategy.POPULAR:
                    found = retrieval.popular(filters, limit)
                case Strategy.NEW:
                    found = retrieval.newest(filters, limit)
                case _ if source.cart_item_ids:
                    found = retrieval.companions(source.cart_item_ids, filters, limit)
                case _:
                    found = retrieval.recommend(states, seeds, filters, limit, source.by)
            return retrieval.collapsed(found) if source.collapse else found

        return await self._retrieved(shop, retrieve)

    async def kinds(
        self, shop: Shop, states: Shopper, kind: Kind, filters: Filters | None
    ) -> list[Liked]:
        """Brands or categories for the shopper, the best first."""
        return await self._in_pool(lambda: shop.retrieval.kinds(states, kind, filters))

    async def _query_vector(self, shop: Shop, context: Context, query: str) -> FloatArray | None:
        """Of the query; a misspelt one lies halfway to what may have been meant."""
        texts = [query]
        # A guess compares a word with all others; what needs none is not worth a thread's turn.
        if not shop.retrieval.knows(query):
            corrected = await self._in_pool(lambda: shop.retrieval.corrected(query))
            texts += [corrected] if corrected != query else []
        left_s = context.deadline_s - time.monotonic()
        budget_s = min(left_s / 2, self._settings.model_share_s(left_s))
        try:
            vectors = await self._encoder.encode(texts, budget_s)
        except RankingError:
            return None
        return between(vectors)

    async def _retrieved(self, shop: Shop, retrieve: Callable[[], Retrieved]) -> Candidates:
        found = await self._in_pool(retrieve)
        item_ids = shop.items.table.item_ids
        return Candidates(
            [item_ids[row] for row in found.rows.tolist()], found.rows, found.score, found.matches
        )

    async def _in_pool(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def searched(
    table: ItemTable, source: Search, found: Retrieved, counted: RowArray, limit: int
) -> Candidates:
    """What was found as candidates: without what was shown, at most `limit`, in the order asked.

    counted: the rows of all that was found, of which `found` may have only the best
    """
    facets = facets_of(table, counted, source.facets)
    key, places = None, np.arange(len(found.rows))
    if source.sort is not Sort.RELEVANCE:
        if found.matches is not None and len(found.rows):
            places = np.flatnonzero(found.score >= _SORTED_SHARE * found.score.max())
        key = _sort_key(table, found.rows, source.sort)
        places = places[np.argsort(key[places], kind="stable")]
    # Marks are made of no more items than are needed: a catalogue may be browsed in its order.
    places = places[: limit + 1 + len(source.shown)]
    places = places[source.shown.unseen([table.item_ids[row] for row in found.rows[places]])]
    more, places = len(places) > limit, places[:limit]
    nearest = tuple((table.item_ids[row], relevance) for row, relevance in found.below)
    return Candidates(
        [table.item_ids[row] for row in found.rows[places].tolist()],
        found.rows[places],
        found.score[places],
        found.matches and found.matches.take(places),
        None if key is None else key[places],
        Found(len(counted), more, facets, nearest),
    )


def _sort_key(table: ItemTable, rows: RowArray, sort: Sort) -> DoubleArray:
    """Lowest first, (n,); what has no price or time comes last."""
    key = table.created_s[rows] if sort is Sort.NEWEST else table.price[rows]
    if sort is not Sort.PRICE_ASC:
        key = -key
    # Finite: the last place is that of what was shown before.
    return np.where(np.isfinite(key), key, float(np.finfo(np.float32).max))
