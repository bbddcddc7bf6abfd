"""Experiments on the real stack: promoted and resumed by command, stopped by a guard when the
candidate's process dies; a new candidate is compared and taken over. Meanwhile nobody gets errors.
"""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from features.store.backends import open_controls
from loadtests.stack import RunningStack, copied, run_stack
from serving.experiments.decide import main as decide
from serving.local.machine import free_port
from serving.local.models import GROCERY_BUNDLE, TRITON_PYTHON, change
from serving.local.state_folder import store_for
from serving.shops.rules import Rules
from serving.shops.steering.decision import Action
from serving.shops.steering.steering import Steering

pytestmark = pytest.mark.timeout(900)
RULES = {
    "exploration": {"share": 0},
    "experiments": [
        {"key": "ranker", "status": "running", "namespace": {"id": "page", "range": [0, 0.9]},
         "arms": [{"key": "old"}, {"key": "new", "model_version": "2"}]},
        {"key": "newest", "kind": "shadow", "status": "running", "promote": {"when": "passed"},
         "gate": {"compared": 20}, "arms": [{"key": "new", "model_version": "candidate"}]},
    ],
}  # fmt: skip
BY_API = {
    "key": "by-api", "status": "running", "namespace": {"id": "page", "range": [0.9, 1]},
    "arms": [{"key": "old"}, {"key": "new", "model_version": "2"}],
}  # fmt: skip
STOPPED_S = 60.0
AT_ONCE = 4


@pytest.fixture(scope="module")
def stack(grocery: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """With version 2 beside version 1, in an experiment; the shadow of the newest is stopped."""
    state = tmp_path_factory.mktemp("stack")
    folder = copied(grocery, state, "grocery")
    change(folder, ["ranker", "--bundle", str(GROCERY_BUNDLE), "--candidate"], TRITON_PYTHON)
    (folder / "rules.yaml").write_text(yaml.safe_dump(RULES))
    controls = open_controls(store_for(folder, None))
    Steering(Rules.model_validate(RULES), controls).decide("newest", Action.STOP, None, "")
    controls.close()
    yield from run_stack(state, free_port())


class Shoppers:
    """Guests who search, each a session of its own. pause_s: of each thread between two of them."""

    def __init__(self, stack: RunningStack, at_once: int = AT_ONCE, pause_s: float = 0.0) -> None:
        self._stack = stack
        self._pause_s = pause_s
        self._done = threading.Event()
        self._numbers = count()
        self.answers: list[tuple[float, int, dict[str, Any]]] = []  # when, status, body
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(at_once)]

    def __enter__(self) -> "Shoppers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        sample = self._stack.sample
        candidates = [{"item_id": item_id} for item_id in sample["item_ids"]]
        while not self._done.wait(self._pause_s):
            body = {"session_id": f"guest-{next(self._numbers)}", "query": sample["query"],
                    "candidates": candidates, "budget_ms": 2_000}  # fmt: skip
            answer = self._stack.client.post("/v1/rank", json=body)
            self.answers.append((time.monotonic(), answer.status_code, answer.json()))

    def after(self, at_s: float, what: Callable[[dict[str, Any]], object]) -> list[object]:
        """Of the answers since `at_s`."""
        return [what(body) for answered_s, _, body in self.answers if answered_s > at_s]


def by_hand(stack: RunningStack, *arguments: str, key: str = "ranker") -> float:
    """When it was decided."""
    assert decide([key, *arguments, "--url", stack.url]) == 0
    return time.monotonic()


def until(condition: Callable[[], object], within_s: float) -> float:
    """How long it took."""
    started_s = time.monotonic()
    while not condition():
        assert time.monotonic() - started_s < within_s
        time.sleep(0.1)
    return time.monotonic() - started_s


def decision(stack: RunningStack) -> dict[str, Any] | None:
    found: dict[str, Any] | None
    found = stack.client.get("/v1/experiments/ranker").json()["decision"]
    return found


def version(body: dict[str, Any]) -> object:
    return body["model_version"]


def versions(shoppers: Shoppers, since_s: float) -> set[object]:
    """Which ranked since then; on a busy machine rules rank now and then, by none of them."""
    return set(shoppers.after(since_s, version)) - {None}


def test_an_experiment_that_is_declared_by_api_draws_at_once_until_it_is_deleted(
    stack: RunningStack,
) -> None:
    path = "/v1/experiments/by-api"
    unknown = {**BY_API, "arms": [{"key": "old"}, {"key": "new", "model_version": "9"}]}
    refused = {
        "arms.1.model_version": unknown,
        "namespace": {**BY_API, "namespace": {"id": "page", "range": [0.5, 1]}},
    }
    for field, definition in refused.items():
        answer = stack.client.put(path, json=definition)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert answer.json()["detail"].startswith(f"{field}: ")
    assert stack.client.get(path).status_code == 404
    with Shoppers(stack) as shoppers:
        answer = stack.client.put(path, json=BY_API)
        assert answer.status_code == 200, answer.text
        until(lambda: by_api(shoppers, 0) >= {("old", "1"), ("new", "2")}, 60)
        assert stack.client.delete(path).status_code == 204
        deleted_s = time.monotonic() + 1
        until(lambda: len(shoppers.after(deleted_s, version)) > 100, 60)
    assert by_api(shoppers, deleted_s) == set()
    assert {status for _, status, _ in shoppers.answers} == {200}


def by_api(shoppers: Shoppers, since_s: float) -> set[tuple[str, str]]:
    """Arms and versions of those whom it drew and a model ranked."""
    bodies = [body for at_s, _, body in shoppers.answers if at_s > since_s and version(body)]
    return {
        (each["variant"], body["model_version"])
        for body in bodies
        for each in body.get("experiments", ())
        if each["experiment"] == BY_API["key"]
    }


def test_an_arm_is_promoted_taken_back_and_resumed_without_an_error(stack: RunningStack) -> None:
    with Shoppers(stack) as shoppers:
        until(lambda: {"1", "2"} <= set(shoppers.after(0, version)), 60)
        promoted_s = by_hand(stack, "promote", "--arm", "new", "--why", "tried") + 1
        until(lambda: len(shoppers.after(promoted_s, version)) > 40, 60)
        assert versions(shoppers, promoted_s) == {"2"}
        assert not any(shoppers.after(promoted_s, lambda body: "experiments" in body))
        stopped_s = by_hand(stack, "stop") + 1
        until(lambda: len(shoppers.after(stopped_s, version)) > 40, 60)
        assert versions(shoppers, stopped_s) == {"1"}
        resumed_s = by_hand(stack, "resume") + 1
        until(lambda: {"1", "2"} <= set(shoppers.after(resumed_s, version)), 60)
    assert {status for _, status, _ in shoppers.answers} == {200}
    assert decide(["ranker", "promote", "--arm", "newest", "--url", stack.url]) == 1


def test_a_candidate_that_dies_is_stopped_within_a_minute_and_nobody_gets_an_error(
    stack: RunningStack,
) -> None:
    by_hand(stack, "resume")
    with Shoppers(stack) as shoppers:
        began_s = time.monotonic()
        until(lambda: {"1", "2"} <= set(shoppers.after(began_s, version)), 60)
        for process in stack.processes():
            if any("/ranker-2/" in part for part in _command_line(process)):
                process.kill()
        died_s = time.monotonic()
        took_s = until(lambda: decision(stack) is not None, 2 * STOPPED_S)
        stopped_s = time.monotonic() + 1
        until(lambda: len(shoppers.after(stopped_s, version)) > 40, 60)
    assert {status for _, status, _ in shoppers.answers} == {200}
    told = decision(stack)
    assert told is not None
    assert (told["action"], told["by"]) == ("stop", "policy")
    assert told["why"].startswith("new: "), told
    routes = shoppers.after(died_s, lambda body: body["route"])
    print(f"stopped {took_s:.1f} s after it died, {routes.count('fallback')} of {len(routes)}"
          f" answers were fallbacks: {told['why']}")  # fmt: skip
    assert "fallback" in routes
    assert versions(shoppers, stopped_s) == {"1"}
    assert took_s < STOPPED_S


def test_a_candidate_of_a_retraining_is_compared_and_then_ranks_everyone(
    stack: RunningStack,
) -> None:
    by_hand(stack, "stop")
    with Shoppers(stack, at_once=1, pause_s=0.1) as shoppers:
        said = change(
            stack.folder, ["ranker", "--bundle", str(GROCERY_BUNDLE), "--candidate"], TRITON_PYTHON
        )
        assert said.startswith("ranker 3 is served beside")
        by_hand(stack, "resume", key="newest")
        until(lambda: version(shoppers.answers[-1][2]) == "3", 120)
        promoted_s = time.monotonic() + 1
        until(lambda: len(shoppers.after(promoted_s, version)) > 20, 60)
    assert versions(shoppers, promoted_s) == {"3"}
    assert {status for _, status, _ in shoppers.answers} == {200}
    told = stack.client.get("/v1/experiments/newest").json()
    decided = told["decision"]
    assert (decided["action"], decided["by"], decided["version"]) == ("promote", "policy", "3")
    assert told["shown"]["compared"] >= 20


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
