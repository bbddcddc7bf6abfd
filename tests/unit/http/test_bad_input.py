"""What bad input gets: the right status, a problem document that names the field, never a 500."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.service import Service, candidates, problem, view

ONE = candidates("milk")
POSTS = ("/v1/rank", "/v1/search", "/v1/recommend", "/v1/events", "/rerank")


@pytest.fixture(scope="module")
def shop(tokenizer_path: Any) -> Service:
    """One for all tests of this module: what is refused leaves nothing behind."""
    return Service(tokenizer_path)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"{]", b"nonsense", b'{"a": }', b'{"a": 1,}', b"{'a': 1}", b'{"a": 01}',
        b"\xff\xfe", b'{"query": "\xff"}', b'{"query": "\xed\xa0\x80"}', b"\xef\xbb\xbf{}",
        b'{"query": "\\ud800"}', b'{"query": "\\udc00\\ud800"}', b'{"query": "a\nb"}',
        nested(100_000).encode(), b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"limit": 1' + b"0" * 5_000 + b"}", b"{}{}",
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
async def test_what_is_no_json_is_a_400(shop: Service, path: str, body: bytes) -> None:
    answer = await shop.post(path, body)
    assert (answer.status_code, problem(answer)["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("path", [*POSTS])
@pytest.mark.parametrize("body", ["[]", "null", "1", '"text"', "true", "[[]]", "NaN"])
async def test_json_of_another_shape_is_a_422(shop: Service, path: str, body: str) -> None:
    assert (await shop.post(path, body)).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "candidates"),
        ({"candidates": []}, "candidates"),
        ({"candidates": ONE * 1001}, "candidates"),
        ({"candidates": "milk"}, "candidates"),
        ({"candidates": None}, "candidates"),
        ({"candidates": ["milk", 7]}, "candidates.1: "),
        ({"candidates": ["x" * 129]}, "candidates.0: String should have at most 128"),
        ({"candidates": ["milk", ""]}, "candidates.1: String should have at least 1"),
        ({"candidates": ["milk", {"item_id": ""}]}, "candidates.1.item_id: String"),
        ({"candidates": ["milk", *ONE]}, "candidates: item_id 'milk' stands twice"),
        ({"candidates": ONE, "filters": {"category": [""]}}, "filters.category.0: String"),
        ({"candidates": candidates("a", "b", "a")}, "candidates: item_id 'a' stands twice"),
        ({"candidates": candidates("")}, "candidates.0.item_id"),
        ({"candidates": candidates("x" * 129)}, "candidates.0.item_id"),
        ({"candidates": [{"item_id": 7}]}, "candidates.0.item_id"),
        ({"candidates": [{"retrieval_score": 1}]}, "candidates.0.item_id"),
        ({"candidates": [{"item_id": "a", "score": 1}]}, "candidates.0.score"),
        ({"candidates": [{"item_id": "a", "retrieval_score": "1"}]}, "retrieval_score"),
        ({"candidates": [{"item_id": "a", "retrieval_score": True}]}, "retrieval_score"),
        ({"candidates": [{"item_id": "a", "retrieval_score": 1e10}]}, "retrieval_score"),
        ({"candidates": ONE, "user": "ann"}, "user"),
        ({"candidates": ONE, "user_id": ""}, "user_id"),
        ({"candidates": ONE, "user_id": 7}, "user_id"),
        ({"candidates": ONE, "session_id": "x" * 129}, "session_id"),
        ({"candidates": ONE, "query": ""}, "query"),
        ({"candidates": ONE, "query": "x" * 513}, "query"),
        ({"candidates": ONE, "limit": 0}, "limit"),
        ({"candidates": ONE, "limit": 1001}, "limit"),
        ({"candidates": ONE, "limit": "10"}, "limit"),
        ({"candidates": ONE, "limit": 1.5}, "limit"),
        ({"candidates": ONE, "limit": True}, "limit"),
        ({"candidates": ONE, "limit": 10**30}, "limit"),
        ({"candidates": ONE, "limit": -(10**400)}, "limit"),
        ({"candidates": ONE, "explain": "yes"}, "explain"),
        ({"candidates": ONE, "budget_ms": 0}, "budget_ms"),
        ({"candidates": ONE, "budget_ms": 5001}, "budget_ms"),
        ({"candidates": ONE, "context": None}, "context"),
        ({"candidates": ONE, "context": {"colour": "red"}}, "context.colour"),
        ({"candidates": ONE, "context": {"at": "now"}}, "context.at"),
        ({"candidates": ONE, "context": {"at": "2026-01-01T00:00:00"}}, "context.at"),
        ({"candidates": ONE, "context": {"at": 1_790_000_000}}, "context.at"),
        ({"candidates": ONE, "context": {"at": "0001-01-01T00:00:00+14:00"}}, "context.at"),
        ({"candidates": ONE, "context": {"at": "9999-12-31T23:59:59-14:00"}}, "context.at"),
        ({"candidates": ONE, "filters": {"category": ""}}, "filters.category"),
        ({"candidates": ONE, "filters": {"brand": []}}, "filters.brand"),
        ({"candidates": ONE, "filters": {"min_price": -1}}, "filters.min_price"),
        ({"candidates": ONE, "filters": {"colour": "red"}}, "filters.colour"),
    ],
)  # fmt: skip
async def test_a_field_that_cannot_be_used_is_named(
    shop: Service, body: dict[str, Any], field: str
) -> None:
    answer = await shop.post("/v1/rank", json.dumps(body))
    assert (answer.status_code, problem(answer)["code"]) == (422, "invalid_request")
    assert field in problem(answer)["detail"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
async def test_numbers_that_are_none_are_refused_and_named(shop: Service, value: str) -> None:
    body = '{"candidates": [{"item_id": "a", "retrieval_score": ' + value + "}]}"
    answer = await shop.post("/v1/rank", body)
    assert answer.status_code == 422
    assert "candidates.0.retrieval_score" in problem(answer)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/v1/search", {"query": "a", "limit": 201}, "limit"),
        ("POST", "/v1/search", {"limit": 2}, "query"),
        ("POST", "/v1/search", {"query": "a", "candidates": ONE}, "candidates"),
        ("POST", "/v1/recommend", {"seed_item_ids": ["a"] * 21}, "seed_item_ids"),
        ("POST", "/v1/recommend", {"seed_item_ids": [""]}, "seed_item_ids.0"),
        ("POST", "/v1/events", {"events": []}, "events"),
        ("POST", "/v1/events", {"events": [1] * 501}, "events"),
        ("POST", "/v1/events", {"events": {}}, "events"),
        ("PUT", "/v1/items", {"items": []}, "items"),
        ("PUT", "/v1/items", {"items": [{}] * 501}, "items"),
        ("PATCH", "/v1/items", {"items": {}}, "items"),
        ("PATCH", "/v1/items/milk", {"titel": "x"}, "titel"),
        ("PATCH", "/v1/items/milk", {"title": None}, "title: an item needs a title"),
        ("PATCH", "/v1/items/milk", {"item_id": "oat"}, "item_id"),
        ("PATCH", "/v1/items/milk", [], "object"),
        ("GET", "/v1/items?limit=501", None, "limit"),
        ("GET", "/v1/items?cursor=%C3%A9", None, "cursor"),
        ("GET", "/v1/items?after=a", None, "after"),
        ("GET", "/v1/items/milk/similar?limit=0", None, "limit"),
        ("GET", "/v1/items/milk/similar?limit=x", None, "limit"),
        ("GET", "/v1/items/milk/similar?limt=3", None, "limt"),
        ("GET", f"/v1/items/{'x' * 129}/similar", None, "item_id"),
        ("GET", f"/v1/suggest?q={'x' * 129}", None, "q"),
        ("GET", "/v1/suggest?limit=0", None, "limit"),
        ("GET", "/v1/suggest?limit=21", None, "limit"),
        ("GET", "/v1/suggest?limit=x", None, "limit"),
        ("GET", "/v1/suggest?query=x", None, "query"),
        ("DELETE", f"/v1/items/{'x' * 129}", None, "item_id"),
        ("DELETE", f"/v1/users/{'x' * 129}", None, "user_id"),
        ("GET", f"/v1/users/{'x' * 129}/features", None, "user_id"),
        ("POST", "/rerank", {"query": "a"}, "documents"),
        ("POST", "/rerank", {"query": "a", "texts": []}, "texts"),
        ("POST", "/rerank", {"texts": ["a"]}, "query"),
        ("POST", "/rerank", {"query": "a", "texts": ["a"], "top_n": 0}, "top_n"),
        ("POST", "/rerank", {"query": "a", "texts": ["a"], "topn": 1}, "topn"),
        ("POST", "/rerank", {"query": "a", "texts": [1]}, "texts.0"),
        ("POST", "/rerank", {"query": "a", "documents": [{"body": ["a"]}]}, "documents.0"),
        ("POST", "/rerank", {"query": "a", "documents": ["a", 1]}, "documents.1"),
        ("POST", "/rerank", {"query": "a", "documents": ["a"], "top_n": 0}, "top_n"),
        ("POST", "/rerank", {"query": "a", "documents": ["a"] * 1001}, "documents"),
    ],
)  # fmt: skip
async def test_every_endpoint_names_the_field(
    shop: Service, method: str, path: str, body: Any, field: str
) -> None:
    answer = await shop.call(method, path, **({} if body is None else {"json": body}))
    assert answer.status_code == 422
    assert field in problem(answer)["detail"]


async def test_a_made_up_name_is_not_echoed_in_full(shop: Service) -> None:
    answer = await shop.post("/v1/rank", {"candidates": ONE, "x" * 100_000: 1})
    assert answer.status_code == 422
    assert len(answer.text) < 1_000


@pytest.mark.parametrize(
    "text", ["\x00", "a\x00b", "\x1b[31m", "\u202e", "\ufffe", "\U0010ffff", "\n"]
)
async def test_odd_characters_are_characters(shop: Service, text: str) -> None:
    body = {
        "user_id": text,
        "session_id": text,
        "query": text,
        "candidates": candidates(text, "milk"),
        "context": {"device": text, "page": text},
        "filters": {"exclude_item_ids": [text]},
        "explain": True,
    }
    answer = await shop.post("/v1/rank", body)
    assert [item["item_id"] for item in answer.json()["items"]] == ["milk"]
    assert (await shop.post("/v1/search", {"query": text})).status_code == 200
    assert (await shop.post("/rerank", {"query": text, "texts": [text]})).status_code == 200
    taken = await shop.post("/v1/events", {"events": [view(item_id=text, user_id=text)]})
    assert taken.json()["accepted"] == 1
    item = {"item_id": text, "title": text, "attributes": {text: text}}
    assert (await shop.call("PUT", "/v1/items", json={"items": [item]})).status_code == 202


async def test_of_a_name_given_twice_the_last_counts(shop: Service) -> None:
    body = '{"candidates": [], "candidates": [{"item_id": "milk"}], "limit": 0, "limit": 5}'
    assert (await shop.post("/v1/rank", body)).status_code == 200


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["milk", "2026-01-01T00:00:00Z", "Grocery > Dairy"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from(
    ["candidates", "query", "user_id", "session_id", "context", "filters", "limit", "explain",
     "events", "items", "texts", "documents", "seed_item_ids", "budget_ms", "top_n", "model"]
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    path=st.sampled_from(POSTS),
    body=st.dictionaries(names, anything | st.just(ONE) | st.just([view()]), max_size=4),
)
async def test_no_json_at_all_is_a_500(shop: Service, path: str, body: dict[str, Any]) -> None:
    answer: httpx.Response = await shop.post(path, json.dumps(body))
    assert answer.status_code in (200, 202, 400, 422)


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(POSTS), body=st.binary(max_size=60))
async def test_no_bytes_at_all_are_a_500(shop: Service, path: str, body: bytes) -> None:
    answer: httpx.Response = await shop.post(path, body)
    assert answer.status_code in (200, 202, 400, 422)
