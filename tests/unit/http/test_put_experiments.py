"""An administrator declares experiments while the shop is asked."""

from pathlib import Path
from typing import Any

import pytest

from serving.shops.rules import Rules
from tests.support.service import Service, candidates, problem

ASK = {"candidates": candidates("milk", "oat", "soap", "dress"), "budget_ms": 5_000}
RULES = Rules.model_validate(
    {
        "exploration": {"share": 0},
        "experiments": [{"key": "theirs", "arms": [{"key": "a"}, {"key": "b"}]}],
    }
)
RANKER: dict[str, Any] = {
    "key": "ranker", "status": "running",
    "arms": [{"key": "old"}, {"key": "new", "model_version": "8"}],
}  # fmt: skip
PATH = "/v1/experiments/ranker"


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    service = Service(tokenizer_path, rules=RULES)
    service.scorer.loaded = {"8"}
    return service


async def put(shop: Service, **changes: Any) -> Any:
    return await shop.call("PUT", PATH, "admin", json={**RANKER, **changes})


async def versions(shop: Service) -> set[str]:
    answers = [
        (await shop.post("/v1/rank", {**ASK, "query": "x", "session_id": f"s-{number}"})).json()
        for number in range(24)
    ]
    return {answer["model_version"] for answer in answers}


async def test_an_experiment_is_declared_decided_on_and_deleted_while_the_shop_is_asked(
    shop: Service,
) -> None:
    assert await versions(shop) == {"7"}
    told = (await put(shop)).json()
    assert (told["key"], told["status"], told["active"]) == ("ranker", "running", True)
    assert told["by_api"]["by"] == "admin"
    assert await versions(shop) == {"7", "8"}
    listed = (await shop.call("GET", "/v1/experiments", "admin")).json()
    assert [(each["key"], each["by_api"] is None) for each in listed["experiments"]] == [
        ("theirs", True), ("ranker", False),
    ]  # fmt: skip
    assert listed["left_out"] == []
    tried = (await shop.call("GET", "/v1/versions", "admin")).json()["candidates"]
    assert tried == [{"version": "8", "loaded": True, "experiments": ["ranker"], "placements": []}]
    promoted = await shop.post(f"{PATH}/decision", {"action": "promote", "arm": "new"}, "admin")
    assert promoted.status_code == 200
    assert await versions(shop) == {"8"}
    assert (await shop.call("DELETE", PATH, "admin")).status_code == 204
    assert await versions(shop) == {"7"}
    missing = await shop.call("DELETE", PATH, "admin")
    assert (missing.status_code, problem(missing)["code"]) == (404, "unknown_experiment")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"key": "other"}, "key: not that of the path"),
        ({"coverge": 0.1}, "coverge: "),
        ({"arms": RANKER["arms"][:1]}, "arms: a comparison needs two or more"),
        ({"arms": [{"key": "a"}, {"key": "b", "rules": {"pins": 1}}]}, "arms.1.rules.pins: "),
    ],
)
async def test_a_definition_that_cannot_be_is_refused_by_field(
    shop: Service, changes: dict[str, Any], told: str
) -> None:
    answer = await put(shop, **changes)
    assert answer.status_code == 422
    assert problem(answer)["detail"].startswith(told)
    assert (await shop.call("GET", PATH, "admin")).status_code == 404


async def test_what_the_rules_declare_is_changed_there(shop: Service) -> None:
    path, theirs = "/v1/experiments/theirs", {**RANKER, "key": "theirs"}
    for method in ("PUT", "DELETE"):
        answer = await shop.call(method, path, "admin", json=theirs)
        assert (answer.status_code, problem(answer)["code"]) == (409, "conflict")
        assert problem(answer)["detail"].startswith("key: 'theirs' is declared by the rules")


async def test_shoppers_who_were_drawn_are_not_drawn_again_by_a_change(shop: Service) -> None:
    await put(shop)
    arms = [
        {**arm, "weight": weight} for arm, weight in zip(RANKER["arms"], (0.9, 0.1), strict=True)
    ]
    answer = await put(shop, arms=arms)
    assert answer.status_code == 409
    assert problem(answer)["detail"].startswith("arms: shoppers were drawn by another one")
    assert (await put(shop, arms=arms, bucket_version=1)).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_only_an_administrator_declares(shop: Service, method: str) -> None:
    for key, status in (("rank", 403), (None, 401)):
        assert (await shop.call(method, PATH, key, json=RANKER)).status_code == status


async def test_a_store_that_is_away_is_told_and_nothing_changes(shop: Service) -> None:
    shop.controls.error = ConnectionError("away")
    answer = await put(shop)
    assert (answer.status_code, problem(answer)["code"]) == (503, "store_away")
    shop.controls.error = None
    assert await versions(shop) == {"7"}
