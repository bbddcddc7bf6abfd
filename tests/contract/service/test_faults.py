"""A model server that hangs, and keys that change, on the real stack."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest

from loadtests.stack import RunningStack
from serving.http.access.auth import hash_key


def ask(stack: RunningStack, **fields: Any) -> tuple[float, dict[str, Any]]:
    """Seconds, and a ranking of the sample's items for its regular shopper."""
    candidates = [{"item_id": item} for item in stack.sample["item_ids"]]
    body = {"user_id": stack.sample["user_id"], "candidates": candidates, **fields}
    started_s = time.perf_counter()
    answer = stack.client.post("/v1/rank", json=body)
    spent_s = time.perf_counter() - started_s
    assert answer.status_code == 200
    return spent_s, answer.json()


def until_model(stack: RunningStack, within_s: float) -> float:
    """Seconds until the model ranks."""
    started_s = time.monotonic()
    while ask(stack)[1]["route"] != "model":
        assert time.monotonic() - started_s < within_s, "the model does not come back"
        time.sleep(0.02)
    return time.monotonic() - started_s


@contextmanager
def hung_model_server(stack: RunningStack) -> Iterator[None]:
    """Stopped as SIGSTOP does: it takes connections and answers nothing."""
    servers = [each for each in stack.processes() if each.name() == "tritonserver"]
    stopped = [each for server in servers for each in (server, *server.children(recursive=True))]
    assert stopped
    for each in stopped:
        each.suspend()
    try:
        yield
    finally:
        for each in stopped:
            try:
                each.resume()
            except psutil.NoSuchProcess:
                continue


def test_a_model_that_hangs_costs_a_few_callers_their_wait_and_then_nobody(
    stack: RunningStack,
) -> None:
    until_model(stack, 10)
    with hung_model_server(stack):
        first = [ask(stack) for _ in range(3)]
        later = [ask(stack) for _ in range(60)]
    recovered_s = until_model(stack, 5)
    for spent_s, ranking in first:
        assert ranking["route"] == "fallback"
        assert spent_s < 0.35  # the model's share of the default budget, and the rest
    assert {ranking["reason"] for _, ranking in later} == {"model_unavailable"}
    in_time = sum(spent_s < 0.2 for spent_s, _ in later)
    assert in_time >= 0.95 * len(later), sorted(spent_s for spent_s, _ in later)[-5:]
    assert recovered_s < 5


def test_a_search_does_not_wait_for_a_model_that_hangs_either(stack: RunningStack) -> None:
    with hung_model_server(stack):
        spent_s = []
        for number in range(20):
            started_s = time.perf_counter()
            body = {"query": "milk", "limit": 1 + number, "user_id": stack.sample["user_id"]}
            answer = stack.client.post("/v1/search", json=body)
            spent_s.append(time.perf_counter() - started_s)
            assert answer.status_code == 200
            assert answer.json()["items"]
    until_model(stack, 5)
    assert max(spent_s) < 0.5
    assert sorted(spent_s[5:])[-2] < 0.2


def test_callers_who_give_no_time_do_not_take_the_model_from_others(stack: RunningStack) -> None:
    until_model(stack, 10)
    for _ in range(20):
        assert ask(stack, budget_ms=1)[1]["route"] == "fallback"
    assert ask(stack)[1]["route"] == "model"


@pytest.fixture
def keys(stack: RunningStack) -> Iterator[Any]:
    """Writes the running stack's key file; it is put back afterwards."""
    path = stack.folder / "keys.json"
    before = path.read_text()

    def write(text: str) -> None:
        part = path.with_suffix(".part")
        part.write_text(text)
        os.replace(part, path)

    yield lambda change: write(change(json.loads(before)))
    write(before)
    time.sleep(2.5)


def status(stack: RunningStack, key: str) -> int:
    answer = httpx.get(f"{stack.url}/v1/status", headers={"authorization": f"Bearer {key}"})
    return answer.status_code


def until(stack: RunningStack, key: str, wanted: int) -> None:
    deadline_s = time.monotonic() + 5
    while status(stack, key) != wanted:
        assert time.monotonic() < deadline_s, f"{key} is not {wanted}"
        time.sleep(0.1)


def test_keys_are_rotated_without_a_restart(stack: RunningStack, keys: Any) -> None:
    new = {"name": "new", "sha256": hash_key("rotated"), "scopes": ["rank"], "rate_per_s": 100}
    processes = {each.pid for each in stack.processes()}
    keys(lambda old: json.dumps([*old, new]))
    until(stack, "rotated", 200)
    assert status(stack, "dev") == 200
    keys(lambda old: "[{")  # a mistake takes no key away
    time.sleep(2.5)
    assert (status(stack, "rotated"), status(stack, "dev")) == (200, 200)
    keys(json.dumps)
    until(stack, "rotated", 401)
    assert status(stack, "dev") == 200
    assert processes <= {each.pid for each in stack.processes()}
