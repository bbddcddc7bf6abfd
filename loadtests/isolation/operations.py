"""Every operation of the API, called with names: how, in which order, and what else it takes."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from serving.http.labels.examples import CLASSIFIER

_ANSWER = {"title": "own question", "text": "own answer"}


class Call(NamedTuple):
    """One request."""

    method: str
    path: str
    json: Any = None
    content: bytes | None = None
    params: dict[str, Any] | None = None


def _in(text: str) -> str:
    return quote(text, safe="")


def _item(name: str) -> dict[str, Any]:
    return {"item_id": name, "title": "own thing", "price": 3.0}


def _event(name: str) -> dict[str, Any]:
    told = {"event_id": name, "type": "click", "user_id": name, "session_id": name}
    at = datetime.now(UTC).isoformat()
    return {**told, "item_id": name, "ranking_id": name, "query": name, "at": at}


def _rerank(path: str, field: str, names: Sequence[str]) -> Call:
    return Call("POST", path, {"query": " ".join(names)[:8192], field: list(names)})


def _lines(path: str, told: Sequence[dict[str, Any]]) -> Call:
    return Call("POST", path, content=b"\n".join(map(orjson.dumps, told)))


def _arms(name: str) -> dict[str, Any]:
    return {"key": name, "arms": [{"key": "control"}, {"key": "b", "rules": {}}]}


class Together(NamedTuple):
    """An operation that takes many names in one request."""

    operation: str
    call: Callable[[Sequence[str]], Call]


Chain = dict[str, Callable[[str], Call]]  # each name goes through it, one operation after another


# Nothing is kept by these, but what was ranked.
_READ: Chain = {
    "get_item": lambda name: Call("GET", f"/v1/items/{_in(name)}"),
    "similar": lambda name: Call("GET", f"/v1/items/{_in(name)}/similar"),
    "patch_item": lambda name: Call("PATCH", f"/v1/items/{_in(name)}", {"title": "taken"}),
    "list_items": lambda name: Call(
        "GET", "/v1/items", params={"cursor": urlsafe_b64encode(name.encode()).decode(), "limit": 2}
    ),
    "user_features": lambda name: Call("GET", f"/v1/users/{_in(name)}/features"),
    "get_user_preferences": lambda name: Call("GET", f"/v1/users/{_in(name)}/preferences"),
    "get_session_preferences": lambda name: Call("GET", f"/v1/sessions/{_in(name)}/preferences"),
    "export_user": lambda name: Call("GET", f"/v1/users/{_in(name)}/export"),
    "get_erasure": lambda name: Call("GET", f"/v1/erasures/{_in(name)}"),
    "compose_page": lambda name: Call("POST", f"/v1/pages/{_in(name)}", {"user_id": name}),
    "get_answer": lambda name: Call("GET", f"/v1/answers/{_in(name)}"),
    "get_image": lambda name: Call("GET", f"/v1/items/{_in(name)}/image"),
    "put_image": lambda name: Call("PUT", f"/v1/items/{_in(name)}/image", {"image": "AA=="}),
    "delete_image": lambda name: Call("DELETE", f"/v1/items/{_in(name)}/image"),
    "get_experiment": lambda name: Call("GET", f"/v1/experiments/{_in(name)}"),
    "get_reading": lambda name: Call("GET", f"/v1/experiments/{_in(name)}/reading"),
    "decide": lambda name: Call(
        "POST", f"/v1/experiments/{_in(name)}/decision", {"action": "stop", "why": "proof"}
    ),
    "delete_experiment": lambda name: Call("DELETE", f"/v1/experiments/{_in(name)}"),
    "suggest": lambda name: Call("GET", "/v1/suggest", params={"q": name}),
    "rank_answers": lambda name: Call("POST", "/v1/answers/rank", {"question": name}),
}
_RANK: Chain = {
    "rank_candidates": lambda name: Call(
        "POST",
        "/v1/rank",
        {"candidates": [name], "user_id": name, "session_id": name, "explain": True},
    ),
    "search": lambda name: Call(
        "POST",
        "/v1/search",
        {"query": name, "user_id": name, "suggestions": True, "facets": ["brand", "category"]},
    ),
    "recommend": lambda name: Call(
        "POST", "/v1/recommend", {"seed_item_ids": [name], "user_id": name, "explain": True}
    ),
    "recommend_brands": lambda name: Call("POST", "/v1/recommend/brands", {"user_id": name}),
    "recommend_categories": lambda name: Call(
        "POST", "/v1/recommend/categories", {"user_id": name}
    ),
}
_LABEL: Chain = {
    "get_classifier": lambda name: Call("GET", f"/v1/classifiers/{_in(name)}"),
    "classify": lambda name: Call(
        "POST", "/v1/classify", {"classifier": name, "texts": ["own thing"]}
    ),
    "post_texts": lambda name: Call(
        "POST", "/v1/texts", {"classifier": name, "texts": [{"text": "own thing"}]}
    ),
    "put_classifier": lambda name: Call("PUT", f"/v1/classifiers/{_in(name)}", CLASSIFIER),
    "delete_classifier": lambda name: Call("DELETE", f"/v1/classifiers/{_in(name)}"),
}
_SHOPPER: Chain = {
    "delete_item": lambda name: Call("DELETE", f"/v1/items/{_in(name)}"),
    "put_user_preferences": lambda name: Call(
        "PUT", f"/v1/users/{_in(name)}/preferences", {"personal": True}
    ),
    "put_session_preferences": lambda name: Call(
        "PUT", f"/v1/sessions/{_in(name)}/preferences", {"personal": True}
    ),
    "erase_user": lambda name: Call("DELETE", f"/v1/users/{_in(name)}"),
}
_OPERATE: Chain = {
    "get_shop": lambda name: Call("GET", f"/v1/shops/{_in(name)}"),
    "put_shop": lambda name: Call("PUT", f"/v1/shops/{_in(name)}", {}),
    "delete_shop": lambda name: Call("DELETE", f"/v1/shops/{_in(name)}"),
    "put_shop_key": lambda name: Call(
        "PUT", f"/v1/shops/{_in(name)}/keys/{_in(name)}", {"scopes": ["admin"]}
    ),
    "delete_shop_key": lambda name: Call("DELETE", f"/v1/shops/{_in(name)}/keys/{_in(name)}"),
}
# Rounds, one after another. In a round a block of names goes through its steps in this order: what
# is asked for is asked before it is the shop's own, and what walks a log while it is short.
ROUNDS: tuple[tuple[Chain | Together, ...], ...] = (
    (
        Together(
            "patch_items",
            lambda names: Call(
                "PATCH",
                "/v1/items",
                {"items": [{"item_id": name, "available": False} for name in names]},
            ),
        ),
        Together("rerank", lambda names: _rerank("/rerank", "texts", names)),
        Together("rerank_v1", lambda names: _rerank("/v1/rerank", "documents", names)),
        Together("rerank_v2", lambda names: _rerank("/v2/rerank", "documents", names)),
        _READ,
    ),
    (_RANK,),
    (_LABEL,),
    (
        {"put_answer": lambda name: Call("PUT", f"/v1/answers/{_in(name)}", _ANSWER)},
        Together(
            "put_answers",
            lambda names: Call(
                "PUT",
                "/v1/answers",
                {"answers": [{"answer_id": name, **_ANSWER} for name in names]},
            ),
        ),
        {"delete_answer": lambda name: Call("DELETE", f"/v1/answers/{_in(name)}")},
    ),
    (
        Together(
            "post_events",
            lambda names: Call("POST", "/v1/events", {"events": [_event(name) for name in names]}),
        ),
        Together(
            "import_events",
            lambda names: _lines("/v1/events/import", [_event(f"i{name}"[:128]) for name in names]),
        ),
        {
            "merge": lambda name: Call(
                "POST", f"/v1/users/{_in(name)}/merge", {"session_id": name}
            ),
        },
        Together(
            "put_items",
            lambda names: Call("PUT", "/v1/items", {"items": [_item(name) for name in names]}),
        ),
        Together(
            "import_items",
            lambda names: _lines("/v1/items/import", [_item(name) for name in names]),
        ),
        _SHOPPER,
    ),
    (_OPERATE,),
)
# Declared once: there are at most 64 experiments at a time.
ONCE: dict[str, Callable[[str], Call]] = {
    "put_experiment": lambda name: Call("PUT", f"/v1/experiments/{_in(name)}", _arms(name)),
}
WITHOUT_A_NAME: dict[str, Call] = {
    "list_accesses": Call("GET", "/v1/audit"),
    "list_experiments": Call("GET", "/v1/experiments"),
    "list_placements": Call("GET", "/v1/placements"),
    "transparency": Call("GET", "/v1/transparency"),
    "list_answers": Call("GET", "/v1/answers"),
    "list_classifiers": Call("GET", "/v1/classifiers"),
    "list_alerts": Call("GET", "/v1/alerts"),
    "list_versions": Call("GET", "/v1/versions"),
    "list_shops": Call("GET", "/v1/shops"),
    "home": Call("GET", "/"),
    "healthz": Call("GET", "/healthz"),
    "readyz": Call("GET", "/readyz"),
    "metrics": Call("GET", "/metrics"),
    "get_status": Call("GET", "/v1/status"),
}
WITH_A_NAME = [
    operation
    for steps in ROUNDS
    for step in steps
    for operation in ([step.operation] if isinstance(step, Together) else step)
]
EVERY = {*WITH_A_NAME, *ONCE, *WITHOUT_A_NAME}
