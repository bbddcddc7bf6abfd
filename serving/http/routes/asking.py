"""The wire to what the ranking path is asked: context, source, filters and boosts."""

import math
import time
import uuid
from collections.abc import Callable

import numpy as np

from features.arrays import FloatArray
from features.catalog.counters import DAY_S
from serving.errors import ForbiddenError, InvalidRequestError
from serving.http import schemas
from serving.http.schemas.rankings import (
    Asking,
    RankRequest,
    RecommendRequest,
    SearchRequest,
)
from serving.ranking.request import Context, Given, Search
from serving.ranking.settings import PipelineSettings
from serving.search.cursor import Cursor, CursorError
from serving.search.filters import Filters
from serving.shops.placements.placement import Placement
from serving.shops.rules import Boost, Match
from serving.shops.shop import Shop
from serving.telemetry.stages import Stages

AnyRequest = RankRequest | SearchRequest | RecommendRequest


class Contexts:
    """Makes the context of a request, with its deadline."""

    def __init__(self, settings: PipelineSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock

    def budget_s(self, body: Asking) -> float:
        """As the caller says, and at most what is allowed."""
        limits = self._settings
        given_s = (body.budget_ms or 1000 * limits.default_budget_s) / 1000
        return min(given_s, limits.max_budget_s)

    def of(self, shop: Shop, body: Asking, stages: Stages) -> Context:
        """Who asks, when, and until when; nobody, where the answer is not to be personal."""
        given = body.context
        user_id, session_id = ids = shop.pseudonyms.both(body.user_id, body.session_id)
        personal = body.personalize and shop.choices.of(*ids).used
        return Context(
            ranking_id=uuid.uuid4().hex,
            at_s=given.at.timestamp() if given.at else self._clock(),
            # The wait before this process is of the budget, too.
            deadline_s=time.monotonic() - stages.waited_s + self.budget_s(body),
            user_id=user_id if personal else None,
            session_id=session_id if personal else None,
            personal=personal,
            locale=given.locale,
            device=given.device,
            page=given.page,
        )


def placement_of(shop: Shop, name: str) -> Placement:
    """A placement of the shop's rules; raises InvalidRequestError, which names the field."""
    placement = shop.rules.placements.get(name)
    if placement is None:
        known = ", ".join(shop.rules.placements) or "none"
        raise InvalidRequestError(f"placement: {name!r} is not declared; declared: {known}")
    return placement


def searched(body: SearchRequest, looks: FloatArray | None = None) -> Search:
    """looks: the vector of a picture; raises InvalidRequestError for a cursor that is none."""
    try:
        shown = Cursor.read(body.cursor)
    except CursorError as error:
        raise InvalidRequestError(f"cursor: {error}") from None
    filters = filters_of(body.filters)
    return Search(
        body.query.strip(), filters, body.sort, shown, tuple(body.facets), looks,
        body.collapse is not None,
    )  # fmt: skip


def given(body: RankRequest) -> Given:
    """The caller's candidates."""
    item_ids: list[str] = []
    scores: list[float | None] = []
    for candidate in body.candidates:
        if isinstance(candidate, str):
            item_ids.append(candidate)
            scores.append(None)
        else:
            item_ids.append(candidate.item_id)
            scores.append(candidate.retrieval_score)
    scored = np.array(scores, np.float32)  # None is NaN
    return Given(item_ids, scored, filters_of(body.filters))


def boosts_of(body: AnyRequest, max_boost: float) -> tuple[Boost, ...]:
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


def filters_of(filters: schemas.rankings.Filters | None) -> Filters | None:
    """None: nothing is asked of the items."""
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
