"""What bad input gets: the right status, a problem document that names the field, never a 500."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.serving_fakes import FakeScorer
from tests.unit.serving_shop import MAX_BODY, RATE_PER_S, Shop, candidates, problem, view

ONE = candidates("milk")
POSTS = ("/v1/rank", "/v1/search", "/v1/recommend", "/v1/events", "/rerank")


@pytest.fixture(scope="module")
def shop(tokenizer_path: Any) -> Shop:
    """One for all tests of this module: what is refused leaves nothing behind."""
    return Shop(tokenizer_path)


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
async def test_what_is_no_json_is_a_400(shop: Shop, path: str, body: bytes) -> None:
    answer = await shop.post(path, body)
    assert (answer.status_code, problem(answer)["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("path", [*POSTS])
@pytest.mark.parametrize("body", ["[]", "null", "1", '"text"', "true", "[[]]", "NaN"])
async def test_json_of_another_shape_is_a_422(shop: Shop, path: str, body: str) -> None:
    assert (await shop.post(path, body)).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "candidates"),
        ({"candidates": []}, "candidates"),
        ({"candidates": ONE * 1001}, "candidates"),
        ({"candidates": "milk"}, "candidates"),
        ({"candidates": None}, "candidates"),
        ({"candidates": ["milk"]}, "candidates.0"),
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
    shop: Shop, body: dict[str, Any], field: str
) -> None:
    answer = await shop.post("/v1/rank", json.dumps(body))
    assert (answer.status_code, problem(answer)["code"]) == (422, "invalid_request")
    assert field in problem(answer)["detail"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
async def test_numbers_that_are_none_are_refused_and_named(shop: Shop, value: str) -> None:
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
        ("PUT", "/v1/items", {"items": [{"item_id": "a"}]}, "items.0.title"),
        ("PUT", "/v1/items", {"items": [{"item_id": "a", "title": ""}]}, "items.0.title"),
        ("PUT", "/v1/items", {"items": [{"item_id": "a", "title": "t", "price": "1"}]}, "price"),
        ("PUT", "/v1/items", {"items": [{"item_id": "a", "title": "t", "price": -1}]}, "price"),
        ("PUT", "/v1/items", {"items": [{"item_id": "a", "title": "t", "sku": 1}]}, "items.0.sku"),
        ("GET", "/v1/items/milk/similar?limit=0", None, "limit"),
        ("GET", "/v1/items/milk/similar?limit=x", None, "limit"),
        ("GET", "/v1/items/milk/similar?limt=3", None, "limt"),
        ("GET", f"/v1/items/{'x' * 129}/similar", None, "item_id"),
        ("DELETE", f"/v1/items/{'x' * 129}", None, "item_id"),
        ("DELETE", f"/v1/users/{'x' * 129}", None, "user_id"),
        ("GET", f"/v1/users/{'x' * 129}/features", None, "user_id"),
        ("POST", "/rerank", {"query": "a"}, "documents"),
        ("POST", "/rerank", {"query": "a", "texts": []}, "texts"),
        ("POST", "/rerank", {"texts": ["a"]}, "query"),
        ("POST", "/rerank", {"query": "a", "texts": ["a"], "top_n": 1}, "top_n"),
        ("POST", "/rerank", {"query": "a", "texts": [1]}, "texts.0"),
        ("POST", "/rerank", {"query": "a", "documents": [{"body": "a"}]}, "documents.0"),
        ("POST", "/rerank", {"query": "a", "documents": ["a"], "top_n": 0}, "top_n"),
        ("POST", "/rerank", {"query": "a", "documents": ["a"] * 1001}, "documents"),
    ],
)  # fmt: skip
async def test_every_endpoint_names_the_field(
    shop: Shop, method: str, path: str, body: Any, field: str
) -> None:
    answer = await shop.call(method, path, **({} if body is None else {"json": body}))
    assert answer.status_code == 422
    assert field in problem(answer)["detail"]


async def test_a_made_up_name_is_not_echoed_in_full(shop: Shop) -> None:
    answer = await shop.post("/v1/rank", {"candidates": ONE, "x" * 100_000: 1})
    assert answer.status_code == 422
    assert len(answer.text) < 1_000


@pytest.mark.parametrize(
    "text", ["\x00", "a\x00b", "\x1b[31m", "\u202e", "\ufffe", "\U0010ffff", "\n"]
)
async def test_odd_characters_are_characters(shop: Shop, text: str) -> None:
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


async def test_of_a_name_given_twice_the_last_counts(shop: Shop) -> None:
    body = '{"candidates": [], "candidates": [{"item_id": "milk"}], "limit": 0, "limit": 5}'
    assert (await shop.post("/v1/rank", body)).status_code == 200


UNKNOWN = [None, "nobody"]
CALLS = [
    ("POST", "/v1/rank", "rank"),
    ("POST", "/v1/search", "rank"),
    ("POST", "/v1/recommend", "rank"),
    ("GET", "/v1/items/milk/similar", "rank"),
    ("POST", "/rerank", "rank"),
    ("GET", "/v1/status", "rank"),
    ("POST", "/v1/events", "events"),
    ("PUT", "/v1/items", "items"),
    ("DELETE", "/v1/items/milk", "items"),
    ("DELETE", "/v1/users/ann", "admin"),
    ("GET", "/v1/users/ann/features", "admin"),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
async def test_a_stranger_is_a_401_and_a_key_without_the_scope_a_403(
    shop: Shop, method: str, path: str, scope: str
) -> None:
    """Both before the body is read: what is sent here is not even JSON."""
    for key in UNKNOWN:
        answer = await shop.call(method, path, key, content=b"{not json")
        assert (answer.status_code, problem(answer)["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    for other in {"rank", "events", "items", "admin"} - {scope}:
        answer = await shop.call(method, path, other, content=b"{not json")
        assert (answer.status_code, problem(answer)["code"]) == (403, "forbidden")
    answer = await shop.call(method, path, scope, content=b"{not json")
    assert answer.status_code in (200, 202, 204, 400)


async def test_the_body_of_a_stranger_is_not_received(shop: Shop) -> None:
    received = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal received
        for _ in range(100):
            received += 1
            yield b"x" * 1000

    answer = await shop.call("POST", "/v1/rank", "nobody", content=body())
    assert answer.status_code == 401
    assert received <= 1


@pytest.mark.parametrize("header", ["first", "Basic abc", "Bearer", "Bearer \xff", "bearer nobody"])
async def test_other_credentials_are_none(shop: Shop, header: str) -> None:
    headers = {"authorization": header.encode("latin-1")}
    answer = await shop.call("POST", "/v1/rank", None, headers=headers)
    assert answer.status_code == 401


async def test_a_key_over_its_rate_is_a_429_with_retry_after(shop: Shop) -> None:
    answers = [
        await shop.post("/v1/rank", {"candidates": ONE}, "slow") for _ in range(RATE_PER_S + 3)
    ]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert answers[0].status_code == 200
    assert problem(refused[0])["code"] == "rate_limited"
    assert int(refused[0].headers["retry-after"]) >= 1


async def test_a_body_over_the_limit_is_a_413_whatever_it_declares(shop: Shop) -> None:
    padding = b" " * (MAX_BODY + 1)

    async def chunked() -> AsyncIterator[bytes]:
        for start in range(0, len(padding), 65_536):
            yield padding[start : start + 65_536]

    for content, headers in (
        (padding, {}),
        (padding, {"content-length": "3"}),
        (chunked(), {}),
        (b"{}", {"content-length": str(MAX_BODY + 1)}),
        (b"{}", {"content-length": "9" * 5_000}),
    ):
        answer = await shop.call("POST", "/v1/rank", content=content, headers=headers)
        assert (answer.status_code, problem(answer)["code"]) == (413, "body_too_large")


async def test_a_body_of_exactly_the_limit_is_read(shop: Shop) -> None:
    body = json.dumps({"candidates": ONE}).encode()
    answer = await shop.post("/v1/rank", body + b" " * (MAX_BODY - len(body)))
    assert answer.status_code == 200


@pytest.mark.parametrize("declared", ["²", "-1", "abc", "", "1e9"])
async def test_a_length_that_is_no_number_declares_nothing(shop: Shop, declared: str) -> None:
    headers = {"content-length": declared.encode("latin-1")}
    body = json.dumps({"candidates": ONE})
    answer = await shop.call("POST", "/v1/rank", content=body, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("POST", "/v2/rank", 404, "not_found"),
        ("GET", "/v1/rank", 405, "method_not_allowed"),
        ("POST", "/v1/items", 405, "method_not_allowed"),
        ("PATCH", "/healthz", 405, "method_not_allowed"),
        ("BREW", "/v1/rank", 405, "method_not_allowed"),
        ("GET", "/v1/items//similar", 405, "method_not_allowed"),
        ("DELETE", "/v1/items/", 404, "not_found"),
    ],
)
async def test_what_is_not_there_is_a_problem_too(
    shop: Shop, method: str, path: str, status: int, code: str
) -> None:
    answer = await shop.call(method, path)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


async def test_a_bug_is_a_500_that_tells_nothing(
    tokenizer_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(tokenizer_path)
    shop.scorer.error = KeyError("secret of the house")
    answer = await shop.post("/v1/rank", {"user_id": "ann", "candidates": ONE})
    assert (answer.status_code, problem(answer)["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "secret of the house" in caplog.text
    assert answer.headers["x-request-id"] in caplog.text


async def test_a_request_id_is_echoed_or_made(shop: Shop) -> None:
    for sent in ("abc-123", "a" * 128, "a.b:c_d"):
        answer = await shop.call("GET", "/healthz", None, headers={"x-request-id": sent})
        assert answer.headers["x-request-id"] == sent
    for sent in ("", "a" * 129, "a b", "a/b", "<script>", "a\tb"):
        answer = await shop.call("GET", "/nowhere", None, headers={"x-request-id": sent})
        assert answer.headers["x-request-id"] != sent
        assert len(answer.headers["x-request-id"]) == 32


class Waiting(FakeScorer):
    """A scorer that holds every request until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def score(self, job: Any, budget_s: float) -> Any:
        await self.go_on.wait()
        return await super().score(job, budget_s)


async def test_more_than_can_be_taken_is_refused_at_once(tokenizer_path: Any) -> None:
    shop = Shop(tokenizer_path, admission={"max_ongoing_rankings": 2})
    waiting = Waiting()
    shop.scorer.score = waiting.score  # type: ignore[method-assign]
    ranked = [
        asyncio.create_task(shop.post("/v1/rank", {"user_id": "ann", "candidates": ONE}))
        for _ in range(2)
    ]
    await asyncio.sleep(0.05)
    for path, body in (
        ("/v1/rank", {"candidates": ONE}),
        ("/v1/search", {"query": "milk"}),
        ("/v1/recommend", {}),
    ):
        answer = await shop.post(path, body)
        assert (answer.status_code, problem(answer)["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
    waiting.go_on.set()
    assert [answer.status_code for answer in await asyncio.gather(*ranked)] == [200, 200]
    assert (await shop.post("/v1/rank", {"candidates": ONE})).status_code == 200


async def test_a_client_that_leaves_is_no_failure_of_ours(shop: Shop) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/rank", "raw_path": b"/v1/rank",
        "query_string": b"", "headers": [(b"authorization", b"Bearer all")], "http_version": "1.1",
        "scheme": "http", "server": ("shop", 80), "client": ("c", 1), "root_path": "",
    }  # fmt: skip
    await shop.app(scope, receive, send)
    assert sent == []
    metrics = (await shop.call("GET", "/metrics", None)).text
    assert 'vitrine_requests_total{endpoint="/v1/rank",status="499"}' in metrics


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
async def test_no_json_at_all_is_a_500(shop: Shop, path: str, body: dict[str, Any]) -> None:
    answer: httpx.Response = await shop.post(path, json.dumps(body))
    assert answer.status_code in (200, 202, 400, 422)


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(POSTS), body=st.binary(max_size=60))
async def test_no_bytes_at_all_are_a_500(shop: Shop, path: str, body: bytes) -> None:
    answer: httpx.Response = await shop.post(path, body)
    assert answer.status_code in (200, 202, 400, 422)
