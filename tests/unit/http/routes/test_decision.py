"""An administrator stops, promotes and resumes experiments while the shop is asked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from serving.errors import ModelTimeoutError, ModelUnavailableError
from serving.shops.rules import Rules
from serving.shops.steering.steering import Steering
from tests.support.service import Service, candidates, ids, problem

ASK = {"candidates": candidates("milk", "oat", "soap", "dress"), "budget_ms": 5_000}
ARMS = [{"key": "old"}, {"key": "new", "model_version": "8"}]
DECLARED = {
    "exploration": {"share": 0},
    "experiments": [
        {"key": "ranker", "status": "running", "arms": ARMS},
        {"key": "try", "kind": "shadow", "status": "running", "gate": {"compared": 20},
         "arms": [{"key": "new", "model_version": "8"}]},
        {"key": "later", "arms": [{"key": "a"}, {"key": "b"}]},
    ],
}  # fmt: skip


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    service = Service(tokenizer_path, rules=Rules.model_validate(DECLARED))
    service.scorer.loaded = {"8"}
    return service


async def decide(shop: Service, key: str = "ranker", **body: Any) -> Any:
    return await shop.post(f"/v1/experiments/{key}/decision", body, "admin")


async def versions(shop: Service, n: int = 24) -> set[str]:
    answers = [
        (await shop.post("/v1/rank", {**ASK, "query": "x", "session_id": f"s-{number}"})).json()
        for number in range(n)
    ]
    return {answer["model_version"] for answer in answers}


async def test_an_arm_is_promoted_rolled_back_and_resumed(shop: Service) -> None:
    assert await versions(shop) == {"7", "8"}
    promoted = (await decide(shop, action="promote", arm="new", why="it earns more")).json()
    assert promoted["decision"]["action"] == "promote"
    assert promoted["decision"]["arm"] == "new"
    assert promoted["decision"]["why"] == "it earns more"
    assert promoted["decision"]["by"] == "admin"
    assert promoted["active"] is False
    assert await versions(shop) == {"8"}
    answer = await shop.post("/v1/rank", {**ASK, "user_id": "ann"})
    assert answer.headers["x-vitrine-variant"] == "ranker:new"
    assert "experiments" not in answer.json()
    stopped = (await decide(shop, action="stop")).json()
    assert stopped["decision"]["action"] == "stop"
    assert await versions(shop) == {"7"}
    resumed = (await decide(shop, action="resume")).json()
    assert (resumed["decision"], resumed["active"]) == (None, True)
    assert await versions(shop) == {"7", "8"}


async def test_a_promoted_version_that_is_not_loaded_is_told_as_ever(shop: Service) -> None:
    shop.scorer.loaded = set()
    await decide(shop, action="promote", arm="new")
    answer = (await shop.post("/v1/rank", {**ASK, "user_id": "ann"})).json()
    assert (answer["route"], answer["reason"]) == ("model", "version_not_loaded")


async def test_a_request_under_way_ends_as_it_began(shop: Service) -> None:
    await decide(shop, action="promote", arm="new")
    shop.scorer.delay_s = 0.2
    asked = asyncio.create_task(shop.post("/v1/rank", {**ASK, "user_id": "ann"}))
    await asyncio.sleep(0.1)
    await decide(shop, action="stop")
    answer = (await asked).json()
    assert (answer["route"], answer["model_version"]) == ("model", "8")


@pytest.mark.parametrize(
    ("key", "body", "field"),
    [
        ("ranker", {"action": "promote", "arm": "newest"}, "arm"),
        ("ranker", {"action": "promote"}, "arm"),
        ("ranker", {"action": "stop", "arm": "new"}, "arm"),
        ("ranker", {"action": "pause"}, "action"),
        ("ranker", {}, "action"),
        ("ranker", {"action": "stop", "why": "x" * 201}, "why"),
        ("ranker", {"action": "stop", "reason": "x"}, "reason"),
        ("try", {"action": "promote", "arm": "old"}, "arm"),
        ("later", {"action": "stop"}, "action"),
    ],
)
async def test_a_decision_that_cannot_be_is_refused_by_field(
    shop: Service, key: str, body: dict[str, Any], field: str
) -> None:
    answer = await decide(shop, key, **body)
    assert answer.status_code == 422
    assert problem(answer)["detail"].startswith(f"{field}:")
    assert (await shop.call("GET", f"/v1/experiments/{key}")).json()["decision"] is None


async def test_only_an_administrator_decides_on_what_is_declared(shop: Service) -> None:
    path = "/v1/experiments/ranker/decision"
    assert (await shop.post(path, {"action": "stop"}, "rank")).status_code == 403
    assert (await shop.post(path, {"action": "stop"}, None)).status_code == 401
    missing = await decide(shop, "other", action="stop")
    assert (missing.status_code, problem(missing)["code"]) == (404, "unknown_experiment")


async def test_a_store_that_is_away_is_told_and_what_it_knows_is_left_out(shop: Service) -> None:
    await decide(shop, action="stop")
    shop.controls.error = ConnectionError("away")
    answer = await decide(shop, action="resume")
    assert (answer.status_code, problem(answer)["code"]) == (503, "store_away")
    told = (await shop.call("GET", "/v1/experiments/ranker")).json()
    assert (told["live"], told["decision"]["action"]) == (None, "stop")


async def test_what_arms_do_is_told_of_all_replicas(shop: Service) -> None:
    shop.scorer.errors["8"] = ModelTimeoutError("late")
    for number in range(20):
        await shop.post("/v1/rank", {**ASK, "query": "x", "session_id": f"s-{number}"})
    elsewhere = Steering(shop.shop.rules, shop.controls)
    for replica in (shop.shop.steering, elsewhere):
        replica.tally.compared("try", "ok", 0.5)
        replica.tell()
    told = (await shop.call("GET", "/v1/experiments/ranker")).json()["live"]
    arms = told["last_5_minutes"]["arms"]
    assert sum(arm["rankings"] for arm in arms.values()) == 20
    assert arms["new"]["fallbacks"] == arms["new"]["rankings"] > 0
    assert arms["old"]["fallbacks"] == 0
    assert arms["old"]["model_ms"]["mean"] == pytest.approx(2.0)
    assert told["last_60_minutes"] == told["last_5_minutes"]
    shadow = (await shop.call("GET", "/v1/experiments/try")).json()
    assert shadow["live"]["last_5_minutes"]["shadow"]["outcomes"]["ok"] == 2
    assert shadow["live"]["last_5_minutes"]["shadow"]["overlap"] == 0.5
    assert shadow["shown"]["compared"] == 2


async def test_an_arm_that_fails_is_stopped_and_no_request_fails(shop: Service) -> None:
    shop.scorer.errors["8"] = ModelUnavailableError("down")
    shop.shop.steering.start()
    try:
        routes = []
        for number in range(2_000):
            answer = await shop.post("/v1/rank", {**ASK, "session_id": f"s-{number}", "query": "x"})
            assert answer.status_code == 200
            routes.append(answer.json()["route"])
            if shop.shop.steering.standing.decisions:
                break
        else:
            await asyncio.sleep(8)
    finally:
        shop.shop.steering.stop()
    assert "fallback" in routes
    told = (await shop.call("GET", "/v1/experiments/ranker")).json()["decision"]
    assert (told["action"], told["by"]) == ("stop", "policy")
    assert told["why"].startswith("new: 100.0% of")
    assert ids(await shop.post("/v1/rank", {**ASK, "user_id": "ann"}))
    assert await versions(shop) == {"7"}
