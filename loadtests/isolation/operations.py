"""Every operation of the API, called with a name: how, and what else it takes."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
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


def _arms(name: str) -> dict[str, Any]:
    return {"key": name, "arms": [{"key": "control"}, {"key": "b", "rules": {}}]}


# In this order: what is asked for is asked before it is the shop's own.
WITH_A_NAME: dict[str, Callable[[str], Call]] = {
    "get_item": lambda name: Call("GET", f"/v1/items/{_in(name)}"),
    "similar": lambda name: Call("GET", f"/v1/items/{_in(name)}/similar"),
    "patch_item": lambda name: Call("PATCH", f"/v1/items/{_in(name)}", {"title": "taken"}),
    "patch_items": lambda name: Call(
        "PATCH", "/v1/items", {"items": [{"item_id": name, "available": False}]}
    ),
    "list_items": lambda name: Call(
        "GET", "/v1/items", params={"cursor": urlsafe_b64encode(name.encode()).decode(), "limit": 2}
    ),
    "user_features": lambda name: Call("GET", f"/v1/users/{_in(name)}/features"),
    "get_user_preferences": lambda name: Call("GET", f"/v1/users/{_in(name)}/preferences"),
    "get_session_preferences": lambda name: Call("GET", f"/v1/sessions/{_in(name)}/preferences"),
    "export_user": lambda name: Call("GET", f"/v1/users/{_in(name)}/export"),
    "get_erasure": lambda name: Call("GET", f"/v1/erasures/{_in(name)}"),
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
    "suggest": lambda name: Call("GET", "/v1/suggest", params={"q": name}),
    "rerank": lambda name: Call("POST", "/rerank", {"query": name, "texts": [name]}),
    "rerank_v1": lambda name: Call("POST", "/v1/rerank", {"query": name, "documents": [name]}),
    "rerank_v2": lambda name: Call("POST", "/v2/rerank", {"query": name, "documents": [name]}),
    "compose_page": lambda name: Call("POST", f"/v1/pages/{_in(name)}", {"user_id": name}),
    "get_answer": lambda name: Call("GET", f"/v1/answers/{_in(name)}"),
    "rank_answers": lambda name: Call("POST", "/v1/answers/rank", {"question": name}),
    "put_answer": lambda name: Call("PUT", f"/v1/answers/{_in(name)}", _ANSWER),
    "put_answers": lambda name: Call(
        "PUT", "/v1/answers", {"answers": [{"answer_id": name, **_ANSWER}]}
    ),
    "delete_answer": lambda name: Call("DELETE", f"/v1/answers/{_in(name)}"),
    "get_classifier": lambda name: Call("GET", f"/v1/classifiers/{_in(name)}"),
    "classify": lambda name: Call(
        "POST", "/v1/classify", {"classifier": name, "texts": ["own thing"]}
    ),
    "post_texts": lambda name: Call(
        "POST", "/v1/texts", {"classifier": name, "texts": [{"text": "own thing"}]}
    ),
    "put_classifier": lambda name: Call("PUT", f"/v1/classifiers/{_in(name)}", CLASSIFIER),
    "delete_classifier": lambda name: Call("DELETE", f"/v1/classifiers/{_in(name)}"),
    "get_image": lambda name: Call("GET", f"/v1/items/{_in(name)}/image"),
    "put_image": lambda name: Call("PUT", f"/v1/items/{_in(name)}/image", {"image": "AA=="}),
    "delete_image": lambda name: Call("DELETE", f"/v1/items/{_in(name)}/image"),
    "get_experiment": lambda name: Call("GET", f"/v1/experiments/{_in(name)}"),
    "get_reading": lambda name: Call("GET", f"/v1/experiments/{_in(name)}/reading"),
    "decide": lambda name: Call(
        "POST", f"/v1/experiments/{_in(name)}/decision", {"action": "stop", "why": "proof"}
    ),
    "delete_experiment": lambda name: Call("DELETE", f"/v1/experiments/{_in(name)}"),
    "post_events": lambda name: Call("POST", "/v1/events", {"events": [_event(name)]}),
    "import_events": lambda name: Call(
        "POST", "/v1/events/import", content=orjson.dumps(_event(f"i{name}"[:128]))
    ),
    "merge": lambda name: Call("POST", f"/v1/users/{_in(name)}/merge", {"session_id": name}),
    "put_items": lambda name: Call("PUT", "/v1/items", {"items": [_item(name)]}),
    "import_items": lambda name: Call(
        "POST", "/v1/items/import", content=orjson.dumps(_item(name))
    ),
    "delete_item": lambda name: Call("DELETE", f"/v1/items/{_in(name)}"),
    "put_user_preferences": lambda name: Call(
        "PUT", f"/v1/users/{_in(name)}/preferences", {"personal": True}
    ),
    "put_session_preferences": lambda name: Call(
        "PUT", f"/v1/sessions/{_in(name)}/preferences", {"personal": True}
    ),
    "erase_user": lambda name: Call("DELETE", f"/v1/users/{_in(name)}"),
    "get_shop": lambda name: Call("GET", f"/v1/shops/{_in(name)}"),
    "put_shop": lambda name: Call("PUT", f"/v1/shops/{_in(name)}", {}),
    "delete_shop": lambda name: Call("DELETE", f"/v1/shops/{_in(name)}"),
    "put_shop_key": lambda name: Call(
        "PUT", f"/v1/shops/{_in(name)}/keys/{_in(name)}", {"scopes": ["admin"]}
    ),
    "delete_shop_key": lambda name: Call("DELETE", f"/v1/shops/{_in(name)}/keys/{_in(name)}"),
}
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
EVERY = {*WITH_A_NAME, *ONCE, *WITHOUT_A_NAME}
