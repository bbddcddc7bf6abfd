"""Who may ask, how much, and what a failure tells: refused at once, as a problem document."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.fakes import FakeRanker
from tests.support.service import MAX_BODY, RATE_PER_S, Service, candidates, problem

ONE = candidates("milk")
POSTS = ("/v1/rank", "/v1/search", "/v1/recommend", "/v1/events", "/rerank")


@pytest.fixture(scope="module")
def shop(tokenizer_path: Any) -> Service:
    """One for all tests of this module: what is refused leaves nothing behind."""
    return Service(tokenizer_path)


UNKNOWN = [None, "nobody"]
CALLS = [
    ("POST", "/v1/rank", "rank"),
    ("POST", "/v1/search", "rank"),
    ("POST", "/v1/recommend", "rank"),
    ("GET", "/v1/items/milk/similar", "rank"),
    ("GET", "/v1/suggest?q=mil", "rank"),
    ("POST", "/rerank", "rank"),
    ("GET", "/v1/status", "rank"),
    ("POST", "/v1/events", "events"),
    ("POST", "/v1/events/import", "events"),
    ("GET", "/v1/items", "items"),
    ("PUT", "/v1/items", "items"),
    ("PATCH", "/v1/items", "items"),
    ("POST", "/v1/items/import", "items"),
    ("GET", "/v1/items/milk", "items"),
    ("PATCH", "/v1/items/milk", "items"),
    ("DELETE", "/v1/items/milk", "items"),
    ("PUT", "/v1/items/milk/image", "items"),
    ("GET", "/v1/items/milk/image", "items"),
    ("DELETE", "/v1/items/milk/image", "items"),
    ("DELETE", "/v1/users/ann", "admin"),
    ("GET", "/v1/users/ann/features", "admin"),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
async def test_a_stranger_is_a_401_and_a_key_without_the_scope_a_403(
    shop: Service, method: str, path: str, scope: str
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
    assert answer.status_code in (200, 202, 204, 400, 404)


async def test_the_body_of_a_stranger_is_not_received(shop: Service) -> None:
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
async def test_other_credentials_are_none(shop: Service, header: str) -> None:
    headers = {"authorization": header.encode("latin-1")}
    answer = await shop.call("POST", "/v1/rank", None, headers=headers)
    assert answer.status_code == 401


async def test_a_key_over_its_rate_is_a_429_with_retry_after(shop: Service) -> None:
    answers = [
        await shop.post("/v1/rank", {"candidates": ONE}, "slow") for _ in range(RATE_PER_S + 3)
    ]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert answers[0].status_code == 200
    assert problem(refused[0])["code"] == "rate_limited"
    assert int(refused[0].headers["retry-after"]) >= 1


async def test_a_body_over_the_limit_is_a_413_whatever_it_declares(shop: Service) -> None:
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


async def test_a_body_of_exactly_the_limit_is_read(shop: Service) -> None:
    body = json.dumps({"candidates": ONE}).encode()
    answer = await shop.post("/v1/rank", body + b" " * (MAX_BODY - len(body)))
    assert answer.status_code == 200


@pytest.mark.parametrize("declared", ["²", "-1", "abc", "", "1e9"])
async def test_a_length_that_is_no_number_declares_nothing(shop: Service, declared: str) -> None:
    headers = {"content-length": declared.encode("latin-1")}
    body = json.dumps({"candidates": ONE})
    answer = await shop.call("POST", "/v1/rank", content=body, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/", 405, "method_not_allowed"),
        ("POST", "/v2/rank", 404, "not_found"),
        ("GET", "/v1/rank", 405, "method_not_allowed"),
        ("POST", "/v1/items", 405, "method_not_allowed"),
        ("PATCH", "/healthz", 405, "method_not_allowed"),
        ("BREW", "/v1/rank", 405, "method_not_allowed"),
        ("GET", "/v1/items//similar", 404, "not_found"),
        ("DELETE", "/v1/items/", 404, "not_found"),
    ],
)
async def test_what_is_not_there_is_a_problem_too(
    shop: Service, method: str, path: str, status: int, code: str
) -> None:
    answer = await shop.call(method, path)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


async def test_a_bug_is_a_500_that_tells_nothing(
    tokenizer_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Service(tokenizer_path)
    shop.scorer.error = KeyError("secret of the house")
    answer = await shop.post("/v1/rank", {"user_id": "ann", "candidates": ONE})
    assert (answer.status_code, problem(answer)["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "secret of the house" in caplog.text
    assert answer.headers["x-request-id"] in caplog.text


async def test_a_request_id_is_echoed_or_made(shop: Service) -> None:
    for sent in ("abc-123", "a" * 128, "a.b:c_d"):
        answer = await shop.call("GET", "/healthz", None, headers={"x-request-id": sent})
        assert answer.headers["x-request-id"] == sent
    for sent in ("", "a" * 129, "a b", "a/b", "<script>", "a\tb"):
        answer = await shop.call("GET", "/nowhere", None, headers={"x-request-id": sent})
        assert answer.headers["x-request-id"] != sent
        assert len(answer.headers["x-request-id"]) == 32


class Waiting(FakeRanker):
    """A scorer that holds every request until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def score(self, job: Any, budget_s: float) -> Any:
        await self.go_on.wait()
        return await super().score(job, budget_s)


async def test_more_than_can_be_taken_is_refused_at_once(tokenizer_path: Any) -> None:
    shop = Service(tokenizer_path, admission={"max_ongoing_rankings": 2})
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


async def test_few_are_worked_on_at_once_and_the_others_wait_their_turn(
    tokenizer_path: Any,
) -> None:
    shop = Service(tokenizer_path, admission={"max_concurrent_rankings": 1})
    waiting, order = Waiting(), []

    async def score(job: Any, budget_s: float) -> Any:
        order.append(job)
        return await waiting.score(job, budget_s)

    shop.scorer.score = score  # type: ignore[method-assign]
    body = {"user_id": "ann", "candidates": ONE, "budget_ms": 5000}
    ranked = [asyncio.create_task(shop.post("/v1/rank", body)) for _ in range(3)]
    await asyncio.sleep(0.1)
    assert len(order) == 1
    waiting.go_on.set()
    answers = await asyncio.gather(*ranked)
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json()["route"] for answer in answers] == ["model"] * 3
    assert len(order) == 3
    waited = [", wait;dur=" in answer.headers["server-timing"] for answer in answers]
    assert sorted(waited) == [False, True, True]


async def test_who_has_waited_for_half_of_his_budget_is_refused(tokenizer_path: Any) -> None:
    shop = Service(tokenizer_path, admission={"max_concurrent_rankings": 1})
    waiting = Waiting()
    shop.scorer.score = waiting.score  # type: ignore[method-assign]
    first = asyncio.create_task(shop.post("/v1/rank", {"user_id": "ann", "candidates": ONE}))
    await asyncio.sleep(0.05)
    for path, body in (("/v1/rank", {"candidates": ONE}), ("/v1/search", {"query": "milk"})):
        answer = await shop.post(path, {**body, "budget_ms": 40})
        assert (answer.status_code, problem(answer)["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
    left = asyncio.create_task(shop.post("/v1/rank", {"user_id": "ann", "candidates": ONE}))
    await asyncio.sleep(0.05)
    left.cancel()  # a caller that leaves while he waits takes no turn with him
    waiting.go_on.set()
    assert (await first).status_code == 200
    assert (await shop.post("/v1/rank", {"candidates": ONE})).status_code == 200


def received(ago_s: float) -> str:
    """What HAProxy writes of a request that it got `ago_s` ago."""
    return str(int(1000 * (time.time() - ago_s)))


async def test_what_a_request_has_waited_in_haproxy_is_of_its_budget(shop: Service) -> None:
    body = {"user_id": "ann", "candidates": ONE, "budget_ms": 200}
    headers = {"x-vitrine-received": received(0.3)}
    late = await shop.call("POST", "/v1/rank", json=body, headers=headers)
    assert (late.json()["route"], late.json()["reason"]) == ("fallback", "deadline")
    spent_ms = {
        name: float(dur)
        for name, dur in (
            entry.split(";dur=") for entry in late.headers["server-timing"].split(", ")
        )
    }
    assert 300 <= spent_ms["wait"] < spent_ms["total"]
    patient = await shop.call("POST", "/v1/rank", json=body | {"budget_ms": 5000}, headers=headers)
    assert patient.json()["route"] == "model"


@pytest.mark.parametrize(
    "said",
    [
        received(3_600),
        received(-3_600),
        "",
        "nonsense",
        "\N{ARABIC-INDIC DIGIT ONE}" * 13,
        "-" + received(0.3)[1:],
    ],
    ids=["an hour ago", "in an hour", "empty", "words", "other digits", "negative"],
)
async def test_a_clock_that_is_wrong_takes_no_budget(shop: Service, said: str) -> None:
    body = {"user_id": "ann", "candidates": ONE, "budget_ms": 200}
    headers = {"x-vitrine-received": said.encode()}
    answer = await shop.call("POST", "/v1/rank", json=body, headers=headers)
    assert answer.json()["route"] == "model"
    assert ", wait;dur=" not in answer.headers["server-timing"]


async def test_a_client_that_leaves_is_no_failure_of_ours(shop: Service) -> None:
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
