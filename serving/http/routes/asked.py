"""What a ranking is asked for on the wire, as the pipeline's values."""

import math
from collections.abc import Sequence

import numpy as np

from features.catalog.counters import DAY_S
from serving.errors import ForbiddenError, InvalidRequestError
from serving.http.schemas import rankings
from serving.ranking.request import Given, Search
from serving.search.cursor import Cursor, CursorError
from serving.search.filters import Filters
from serving.shops.rules import Boost, Match


def search(body: rankings.SearchRequest) -> Search:
    """Raises InvalidRequestError for a cursor that is none."""
    try:
        shown = Cursor.read(body.cursor)
    except CursorError as error:
        raise InvalidRequestError(f"cursor: {error}") from None
    return Search(body.query.strip(), filters(body.filters), body.sort, shown, tuple(body.facets))


def given(body: rankings.RankRequest) -> Given:
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
    return Given(item_ids, np.array(scores, np.float32), filters(body.filters))  # None is NaN


def boosts(asked: Sequence[rankings.Boost], max_boost: float) -> tuple[Boost, ...]:
    """Raises ForbiddenError for what the key does not allow."""
    for place, boost in enumerate(asked):
        if abs(boost.lift) > max_boost:
            allowed = f"at most {max_boost:g}" if max_boost else "none"
            raise ForbiddenError(f"boosts.{place}.lift: this key allows {allowed} (max_boost)")
    reason = "asked for with the request"
    return tuple(
        Boost(match=Match.model_validate(boost.match.model_dump()), lift=boost.lift, reason=reason)
        for boost in asked
    )


def filters(asked: rankings.Filters | None) -> Filters | None:
    """None where nothing is asked of the items."""
    if asked is None or not asked.model_fields_set:
        return None
    category = asked.category
    categories = [category] if isinstance(category, str) else category
    return Filters(
        categories=None if categories is None else tuple(categories),
        brands=None if asked.brand is None else tuple(asked.brand),
        exclude_brands=tuple(asked.exclude_brand),
        attributes={name: tuple(values) for name, values in asked.attributes.items()},
        min_price=asked.min_price,
        max_price=asked.max_price,
        exclude_item_ids=tuple(asked.exclude_item_ids),
        available=asked.available,
        bought_within_s=_bought_within_s(asked.exclude_bought),
    )


def _bought_within_s(bought: bool | rankings.Bought) -> float | None:
    if isinstance(bought, bool):
        return math.inf if bought else None
    return bought.within_days * DAY_S
