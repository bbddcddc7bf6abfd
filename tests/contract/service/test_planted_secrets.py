"""What is planted in requests is in no sink: logs, metrics, answers, and not raw in the stores.

What an item or a query says is stored by design (docs/access.md): those may be in the stores, and
nowhere else. The sinks are searched by bytes, so a line that is no JSON is searched as well.
"""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from loadtests.stack import RunningStack
from tests.contract.service.test_faults import hung_model_server

_SETTLE_S = 3.0  # the recorder, ingest and Ray's log buffers write after the answer


@dataclass
class Plants:
    """Words that occur nowhere else. `hidden` must be in no sink; `stored` in stores only."""

    run: str = field(default_factory=lambda: uuid.uuid4().hex[:10])
    hidden: dict[str, bytes] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)

    def email(self, place: str) -> str:
        """An address of a person who must not be found."""
        return self._plant(self.hidden, place, f"ann.{place}.{self.run}@example.org")

    def secret(self, place: str) -> str:
        """A secret that must not be found."""
        return self._plant(self.hidden, place, f"sk-{self.run}-{place}")

    def text(self, place: str) -> str:
        """What a shop or a shopper wrote, stored as it is."""
        return self._plant(self.stored, place, f"text.{place}.{self.run}@example.org")

    def _plant(self, kind: dict[str, bytes], place: str, word: str) -> str:
        kind[f"{place}: {word}"] = word.encode()
        return word


def sinks(stack: RunningStack) -> Iterator[Path]:
    """Every file that the running stack writes and that is no store."""
    yield stack.folder.parent / "printed.txt"
    yield from (stack.folder / "logs").rglob("*")
    for folder in run_folders(stack):
        yield from folder.rglob("*")


def run_folders(stack: RunningStack) -> set[Path]:
    """Where Ray, Serve and HAProxy write, with the session's logs."""
    found = set()
    for process in stack.processes():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "serving.local.app_process" in command:
            found.add(Path(command[command.index("--run") + 1]))
    assert found
    return found


def stores(stack: RunningStack) -> Iterator[Path]:
    """Everything else in the state folder."""
    yield from (
        path for path in stack.folder.rglob("*") if (stack.folder / "logs") not in path.parents
    )


def search(paths: Iterator[Path], words: dict[str, bytes]) -> list[str]:
    """`file: word` for each word in each file."""
    found = []
    for path in paths:
        if path.is_file():  # no socket
            content = path.read_bytes()
            found += [f"{path}: {name}" for name, word in words.items() if word in content]
    return found


def event(**fields: Any) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {"event_id": uuid.uuid4().hex, "type": "click", "at": at, **fields}


def plant_everywhere(stack: RunningStack, plants: Plants) -> list[httpx.Response]:
    """Requests of every kind, good and bad, with something in every place that takes text."""
    known = stack.sample["item_ids"][0]
    item = plants.text("item_id")
    post, answers = stack.client.post, []

    def ask(answer: httpx.Response) -> None:
        answers.append(answer)

    ids = {"user_id": plants.email("user"), "session_id": plants.secret("session")}
    title = {"item_id": item, "title": plants.text("title"), "description": plants.text("words")}
    ask(stack.client.put("/v1/items", json={"items": [title]}))
    ask(post("/v1/events", json={"events": [event(item_id=known, **ids)] * 2}))
    ask(post("/v1/events", json={"events": [event(item_id=item, **ids)]}))
    queried = event(query=plants.text("searched"), **ids) | {"type": "search"}
    ask(post("/v1/events", json={"events": [queried]}))
    candidates = [{"item_id": known}, {"item_id": item}]
    query = plants.text("query")
    for budget_ms in (1, 500, 5000):
        ask(post("/v1/rank", json={"candidates": candidates, "budget_ms": budget_ms, **ids}))
        ask(post("/v1/search", json={"query": query, "budget_ms": budget_ms, **ids}))
        ask(post("/v1/recommend", json={"seed_item_ids": [item], **ids}))
    with hung_model_server(stack):
        for number in range(6):
            # Where an error crosses replicas, Serve has the caller's id at hand.
            named = {"x-request-id": plants.email(f"hung{number}")}
            ask(post("/v1/search", json={"query": query, **ids}, headers=named))
            body = {"query": query, "candidates": candidates, **ids}
            ask(post("/v1/rank", json=body, headers=named))
    ask(post("/rerank", json={"query": plants.email("rerank"), "texts": [plants.secret("text")]}))
    # Ids in paths, the place that access logs like best.
    path_user = plants.email("path")
    ask(stack.client.get("/v1/suggest", params={"q": plants.email("typed")}))
    ask(stack.client.get(f"/v1/users/{path_user}/features"))
    ask(stack.client.delete(f"/v1/users/{path_user}"))
    ask(stack.client.get(f"/v1/items/{plants.secret('item-path')}/similar"))
    ask(post(f"/v1/events?key={plants.secret('url-key')}", json={"events": []}))
    ask(stack.client.get(f"/{plants.email('nowhere')}?key={plants.secret('parameter')}"))
    # Headers.
    headers = {
        "x-request-id": plants.email("request-id"),
        "user-agent": plants.secret("agent"),
        "traceparent": plants.secret("trace"),
        "tracestate": f"a={plants.secret('state')}",
        "baggage": f"user={plants.email('baggage')}",
        "cookie": f"session={plants.secret('cookie')}",
        "referer": f"https://{plants.secret('referer')}/",
        "serve_multiplexed_model_id": plants.secret("multiplexed"),
    }
    ask(post("/v1/rank", json={"candidates": candidates}, headers=headers))
    headers["authorization"] = f"Bearer {plants.secret('key')}"
    ask(post("/v1/rank", json={"candidates": candidates}, headers=headers))
    ask(post("/v1/rank", content=b"{", headers={"authorization": f"Basic {plants.secret('b')}"}))
    # Bodies that are no requests.
    for content in (
        f'{{"user_id": "{plants.email("cut")}"',
        f'{{"user_id": {{"a": "{plants.email("shape")}"}}, "candidates": 3}}',
        f'["{plants.secret("list")}"]',
        json.dumps({"candidates": [{"item_id": known, "retrieval_score": plants.email("score")}]}),
        json.dumps({"context": {"at": plants.email("at")}, "candidates": candidates}),
        json.dumps({"budget_ms": plants.secret("budget"), "candidates": candidates}),
        json.dumps({"candidates": candidates, "filters": {"max_price": plants.email("price")}}),
    ):
        ask(post("/v1/rank", content=content))
        ask(post("/v1/events", content=content))
    bad = [event(type=plants.email("type")), event(at=plants.email("time"), item_id=known, **ids)]
    ask(post("/v1/events", json={"events": bad}))
    return answers


@pytest.fixture(scope="module")
def planted(stack: RunningStack) -> tuple[Plants, list[httpx.Response]]:
    plants = Plants()
    answers = plant_everywhere(stack, plants)
    time.sleep(_SETTLE_S)
    return plants, answers


Planted = tuple[Plants, list[httpx.Response]]


def test_the_requests_were_of_every_kind(planted: Planted) -> None:
    _, answers = planted
    assert {answer.status_code for answer in answers} >= {200, 202, 400, 401, 404, 422}
    routes = {answer.json().get("route") for answer in answers if answer.status_code == 200
              and isinstance(answer.json(), dict)}  # fmt: skip
    assert {"model", "fallback"} <= routes


def test_nothing_that_was_planted_is_in_a_log(stack: RunningStack, planted: Planted) -> None:
    plants, _ = planted
    assert search(sinks(stack), plants.hidden | plants.stored) == []


def test_nothing_that_was_planted_is_in_the_metrics(stack: RunningStack, planted: Planted) -> None:
    assert planted[0].run not in stack.client.get("/metrics").text
    assert planted[0].run not in stack.client.get("/v1/status").text


def test_an_error_does_not_repeat_what_it_was_given(planted: Planted) -> None:
    plants, answers = planted
    for answer in answers:
        if answer.status_code >= 400:
            assert plants.run not in answer.text
        assert plants.run not in str(answer.headers.multi_items())


def test_the_stores_hold_no_raw_id_and_nothing_that_is_not_theirs(
    stack: RunningStack, planted: Planted
) -> None:
    assert search(stores(stack), planted[0].hidden) == []


def test_queries_and_item_texts_are_stored_by_design_and_so_the_search_finds(
    stack: RunningStack, planted: Planted
) -> None:
    """The positive control of stores: what must be there is found."""
    plants, _ = planted
    found = "\n".join(search(stores(stack), plants.stored))
    for name in plants.stored:
        assert name in found or name.startswith("query"), f"{name} was stored nowhere"


def test_the_search_would_find_a_leak_in_every_kind_of_log(
    stack: RunningStack, planted: Planted
) -> None:
    """The positive control of sinks: a leak that is made on purpose is found in each."""
    plants, _ = planted
    (run,) = run_folders(stack)
    session = next(path for path in run.glob("ray/session_*/logs") if not path.parent.is_symlink())
    folders = [stack.folder / "logs", session, session / "serve", run]
    word = {"leak": f"leak.{plants.run}@example.org".encode()}
    for folder in folders:
        leak = folder / "leak-on-purpose.log"
        leak.write_bytes(b'{"message": "' + word["leak"] + b'"}\n')
        assert search(sinks(stack), word)
        leak.unlink()
    assert search(sinks(stack), word) == []
    # And the sinks are the real ones: each part has written there.
    for name in ("ingress", "ingest", "triton", "app"):
        assert (stack.folder / "logs" / f"{name}.log").stat().st_size > 0
    assert list((session / "serve").glob("replica_*Ingress*"))


def test_no_path_is_sent_to_the_machines_syslog(stack: RunningStack) -> None:
    """HAProxy's own request log, which no file of ours would show."""
    (run,) = run_folders(stack)
    configurations = list(run.rglob("haproxy.cfg"))
    assert configurations
    for path in configurations:
        targets = [line.split()[1] for line in path.read_text().splitlines()
                   if line.split()[:1] == ["log"] and line.split()[1] != "global"]  # fmt: skip
        # The other one is Serve's own socket of metrics: route, method, status, no path.
        assert {each for each in targets if not each.endswith("/metrics.sock")} == {"/dev/null"}


@pytest.mark.parametrize("part", ["ingress", "ingest"])
def test_our_own_logs_are_json_with_known_fields(
    stack: RunningStack, planted: Planted, part: str
) -> None:
    from features.telemetry.logs import FIELDS

    lines = (stack.folder / "logs" / f"{part}.log").read_text().splitlines()
    for line in lines:
        found = json.loads(line)
        assert {"timestamp", "level", "logger", "component", "message"} <= set(found)
        assert set(found) <= set(FIELDS)
        assert found["component"] == part
