"""A slate to the wire."""

from collections.abc import Sequence
from typing import Any

from serving.http.schemas.rankings import SearchRequest
from serving.ranking.request import Search
from serving.ranking.slate.explain import explain
from serving.ranking.slate.moves import SPONSORED
from serving.ranking.values import Slate
from serving.search.kinds import Liked
from serving.search.understanding.wishes import Understood
from serving.types import Reason


def response(slate: Slate) -> dict[str, Any]:
    """The body of a RankResponse; built as plain data, for it is on the hot path."""
    item_ids, order = slate.candidates.item_ids, slate.order.tolist()
    relevance = slate.candidates.relevance
    columns = zip(
        order,
        slate.values[slate.order].tolist(),
        [None] * len(order) if relevance is None else relevance[slate.order].tolist(),
        range(1, len(order) + 1),
        slate.propensity.tolist(),
        strict=True,
    )
    items: list[dict[str, Any]] = [
        {
            "item_id": item_ids[index],
            "score": value,
            "relevance": relevant,
            "position": position,
            "propensity": propensity,
        }
        for index, value, relevant, position, propensity in columns
    ]
    for place, index in enumerate(order):
        if any(note.startswith(SPONSORED) for note in slate.notes.get(index, ())):
            items[place]["sponsored"] = True
    if slate.context.explain:
        for place, item in enumerate(items):
            item["explanation"] = explain(slate, place).as_dict()
    return {
        "ranking_id": slate.context.ranking_id,
        "route": slate.route.value,
        "reason": slate.reason.value if slate.reason else None,
        **({} if slate.context.personal else {"personal": False}),
        "model_version": slate.scores.model_version,
        "items": items,
        **({"exclude_bought": slate.exclusion.value} if slate.exclusion else {}),
        **({"because": slate.reminder.as_dict()} if slate.reminder else {}),
        **({"experiments": _experiments(slate)} if slate.assignment.exposures else {}),
        **({"understood": _understood(read)} if (read := slate.context.understood) else {}),
    }


def _understood(understood: Understood) -> dict[str, Any]:
    return {
        "wishes": [
            {
                "wanted": wish.wanted.value,
                "words": wish.words,
                "required": wish.required,
                "relaxed": wish.relaxed,
                "attribute": wish.name or None,
                "values": list(wish.values),
                "min_price": wish.min_price,
                "max_price": wish.max_price,
            }
            for wish in understood.wishes
        ],
        "not_used": [{"words": left.words, "why": left.why.value} for left in understood.not_used],
    }


def _experiments(slate: Slate) -> list[dict[str, str]]:
    return [
        {"experiment": exposure.experiment, "variant": exposure.variant}
        for exposure in slate.assignment.exposures
    ]


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


def liked_response(found: Sequence[Liked], reason: Reason | None) -> dict[str, Any]:
    """The body of a LikedResponse."""
    return {
        "reason": reason.value if reason else None,
        "values": [
            {
                "value": liked.name,
                "score": liked.score,
                "taste": liked.taste,
                "popularity": liked.popularity,
            }
            for liked in found
        ],
    }
