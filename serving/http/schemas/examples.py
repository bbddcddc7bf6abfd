"""A worked example for each operation, by its operationId: what is sent, and what is answered.

tests/unit/http/test_openapi.py sends every one of them.
"""

from dataclasses import dataclass, field
from typing import Any

from serving.http.answers.examples import EXAMPLES as OF_ANSWERS
from serving.http.schemas.example_experiment import DECLARED, EXPERIMENT, PUT, READING
from serving.http.schemas.operator.example_shop import DEFAULT, DEFINED, KEY, MADE, SHOP
from serving.http.schemas.pages.examples import ANSWER, ASKED, TOLD


@dataclass(frozen=True, slots=True)
class Example:
    """body: as it is sent, a text for what is no JSON; parameters: of path and query, by name."""

    answer: Any = None
    body: Any = None
    parameters: dict[str, Any] = field(default_factory=dict)


def _ranking(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    ranking = {"ranking_id": "2f0c6a7e5a0b4a3c9d1e8f7a6b5c4d3e", "route": "model", "reason": None}
    return {**ranking, "model_version": "3", "items": list(items), **more}


def _place(item_id: str, score: float, position: int, relevance: float | None) -> dict[str, Any]:
    place = {"item_id": item_id, "score": score, "position": position}
    return {**place, "relevance": relevance, "propensity": 1.0}


_MILK = {
    "item_id": "milk",
    "title": "Whole milk",
    "description": "From the Meadow farms.",
    "category": "Grocery > Dairy > Milk",
    "brand": "Meadow",
    "price": 1.2,
    "currency": "EUR",
    "created_at": "2026-03-02T00:00:00Z",
    "available": True,
    "image_url": "https://shop.example/milk.png",
    "attributes": {"size": "1 l"},
}
_SHOWN = {**_MILK, "picture_text": None}
_MEADOW = {"value": "Meadow", "score": 0.31, "taste": 0.4, "popularity": 0.02}
_UNDERSTOOD = {
    "wishes": [
        {
            "wanted": "price", "words": "budget 5", "required": True, "relaxed": False,
            "attribute": None, "values": [], "min_price": None, "max_price": 5.0,
        }
    ],
    "not_used": [{"words": "for a rainy afternoon", "why": "not_understood"}],
}  # fmt: skip
_RERANK = Example(
    body={
        "model": "any", "query": "something to drink", "top_n": 1,
        "documents": ["garden hose, 20 m", "fresh whole milk"],
    },
    answer={
        "id": "0f8b5d0e", "model": "any", "results": [{"index": 1, "relevance_score": 0.25}],
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    },
)  # fmt: skip

EXAMPLES: dict[str, Example] = {
    "rank_candidates": Example(
        body={
            "user_id": "ann", "session_id": "s1", "query": "milk",
            "candidates": ["milk", {"item_id": "oat", "retrieval_score": 7.1}],
            "context": {"device": "phone", "page": "search"}, "limit": 10,
        },
        answer=_ranking(_place("milk", 1.93, 1, 0.97), _place("oat", 0.41, 2, 0.88)),
    ),
    "search": Example(
        body={
            "query": "whole milk", "user_id": "ann", "limit": 20, "facets": ["brand", "price"],
            "user_context": "for a rainy afternoon, budget 5",
            "filters": {"category": "Grocery > Dairy", "max_price": 5, "available": True},
        },
        answer=_ranking(
            _place("milk", 1.93, 1, 0.97), total=1, cursor=None, facets={"brand": {"Meadow": 1}},
            prices={"min": 1.2, "max": 1.2, "mean": 1.2, "currency": "EUR"},
            understood=_UNDERSTOOD,
        ),
    ),
    "recommend": Example(
        body={"user_id": "ann", "limit": 2, "filters": {"exclude_brand": ["Linen"]}},
        answer=_ranking(_place("bread", 0.72, 1, None), _place("butter", 0.55, 2, None)),
    ),
    "recommend_brands": Example(
        body={"user_id": "ann", "limit": 1},
        answer={"reason": None, "values": [_MEADOW]},
    ),
    "recommend_categories": Example(
        body={"user_id": "ann", "level": 2, "limit": 1},
        answer={"reason": None, "values": [{**_MEADOW, "value": "Grocery > Dairy"}]},
    ),
    "similar": Example(
        parameters={"item_id": "milk", "limit": 2},
        answer=_ranking(_place("oat", 0.91, 1, None), _place("butter", 0.34, 2, None)),
    ),
    "compose_page": Example(body=ASKED, answer=ANSWER, parameters={"name": "home"}),
    "suggest": Example(
        parameters={"q": "mil", "limit": 8},
        answer={
            "suggestions": [
                {
                    "text": "Milk", "kind": "category", "item_id": None,
                    "category": "Grocery > Dairy > Milk",
                },
                {"text": "Whole milk", "kind": "item", "item_id": "milk", "category": None},
            ],
            "corrected": None,
        },
    ),
    "rerank": _RERANK,
    "rerank_v1": Example(
        body={"query": "something to drink", "texts": ["garden hose, 20 m", "fresh whole milk"]},
        answer=[{"index": 1, "score": 0.25}, {"index": 0, "score": 0.09}],
    ),
    "rerank_v2": _RERANK,
    **{name: Example(**told) for name, told in OF_ANSWERS.items()},
    "post_events": Example(
        body={
            "events": [
                {
                    "event_id": "9a7c-1", "type": "click", "at": "2026-09-21T14:13:20Z",
                    "user_id": "ann", "session_id": "s1", "item_id": "milk",
                    "ranking_id": "2f0c6a7e5a0b4a3c9d1e8f7a6b5c4d3e", "position": 1,
                },
                {
                    "event_id": "9a7c-2", "type": "purchase", "user_id": "ann",
                    "session_id": "s1", "item_id": "milk", "value": 2.4,
                },
            ]
        },
        answer={"accepted": 2, "duplicates": 0, "rejected": []},
    ),
    "list_items": Example(
        parameters={"limit": 1}, answer={"items": [_SHOWN], "cursor": "bWlsaw=="}
    ),
    "put_items": Example(
        body={"items": [
            _MILK, {"item_id": "jam", "title": "Jam", "created_at": "1970-01-01T00:00:00Z"},
        ]},
        answer={
            "accepted": 1,
            "rejected": [{
                "index": 1, "code": "invalid_item",
                "detail": "created_at: a time from 2000 to 2199 is wanted",
            }],
        },
    ),
    "patch_items": Example(
        body={"items": [{"item_id": "milk", "price": 1.1}, {"item_id": "oat", "available": False}]},
        answer={"accepted": 2, "rejected": []},
    ),
    "import_items": Example(
        body='{"item_id": "milk", "title": "Whole milk", "price": 1.2}\n'
        '{"item_id": "oat", "title": "Oat drink", "brand": "Oatly"}\n',
        answer={"accepted": 2, "rejected": 0, "errors": []},
    ),
    "import_events": Example(
        body='{"event_id": "order-1", "type": "purchase", "at": "2019-03-01T10:00:00Z", '
        '"user_id": "ann", "item_id": "milk", "value": 2.4}\n'
        '{"event_id": "order-2", "type": "purchase", "at": "2019-03-08T10:00:00Z", '
        '"user_id": "ann", "item_id": "milk", "value": 1.2}\n',
        answer={
            "lines": 2, "accepted": 2, "duplicates": 0, "rejected": 0, "errors": [], "logged": 2,
            "folded": 0,
        },
    ),
    "get_item": Example(parameters={"item_id": "milk"}, answer=_SHOWN),
    "patch_item": Example(
        parameters={"item_id": "milk"},
        body={"price": 1.1, "brand": None, "attributes": {"size": "1 l"}},
        answer={**_SHOWN, "price": 1.1, "brand": ""},
    ),
    "delete_item": Example(parameters={"item_id": "milk"}),
    "merge": Example(
        parameters={"user_id": "ann"}, body={"session_id": "s1"}, answer={"accepted": 1}
    ),
    "user_features": Example(
        parameters={"user_id": "ann"},
        answer={
            "known": True, "interactions": 2, "first_event_at": "2026-09-21T14:11:20Z",
            "last_event_at": "2026-09-21T14:12:20Z", "age_s": 60.0, "counts": {"view": 2},
            "recent_items": ["oat", "milk"], "bought_items": [],
            "categories": {"Grocery > Dairy": 1.0}, "brands": {"Meadow": 0.5, "Oatly": 0.5},
            "typical_price": 1.7, "queries": [],
        },
    ),
    "list_experiments": Example(
        answer={"experiments": [EXPERIMENT], "left_out": [], "holdout": 0.0}
    ),
    "get_experiment": Example(parameters={"key": "spread"}, answer=EXPERIMENT),
    "put_experiment": Example(
        parameters={"key": "wider"}, body=DECLARED, answer=PUT
    ),
    "delete_experiment": Example(parameters={"key": "wider"}),
    "get_reading": Example(parameters={"key": "spread"}, answer=READING),
    "list_versions": Example(
        answer={
            "in_use": "7",
            "candidates": [
                {"version": "8", "loaded": True, "experiments": ["ranker"], "placements": []}
            ],
        },
    ),
    "list_placements": Example(answer=TOLD),
    "decide": Example(
        parameters={"key": "spread"},
        body={"action": "stop", "why": "the sale begins"},
        answer=EXPERIMENT,
    ),
    "list_shops": Example(answer={"shops": [DEFAULT, SHOP]}),
    "get_shop": Example(parameters={"name": "outlet"}, answer=SHOP),
    "put_shop": Example(parameters={"name": "outlet"}, body=DEFINED, answer=SHOP),
    "delete_shop": Example(parameters={"name": "outlet"}, answer={"accepted": 1}),
    "put_shop_key": Example(
        parameters={"name": "outlet", "key_name": "storefront"}, body=KEY, answer=MADE
    ),
    "delete_shop_key": Example(parameters={"name": "outlet", "key_name": "storefront"}),
    "home": Example(
        answer={
            "name": "vitrine", "version": "1", "docs": "/docs", "console": "/console",
            "openapi": "/openapi.json", "health": "/healthz", "ready": "/readyz",
            "metrics": "/metrics",
        },
    ),
    "healthz": Example(answer={"status": "ok"}),
    "readyz": Example(answer={"status": "ready", "features": True, "model": True}),
    "metrics": Example(answer='vitrine_requests_total{endpoint="/v1/rank",status="200"} 812.0\n'),
    "get_status": Example(
        answer={
            "model_version": "3", "features_answer": True, "model_answers": True,
            "catalog_items": 10_000, "items_to_encode": 0,
            "events_logged": 52_311, "events_waiting": 0,
            "space": {
                "log_bytes": 141_557_760, "log_max_bytes": 241_591_910,
                "store_bytes": 171_966_464, "store_max_bytes": 402_653_184,
            },
            "ingest": {"applied_seq": 52_311}, "rankings": {"model": 812.0, "cold_start": 31.0},
        },
    ),
}  # fmt: skip
