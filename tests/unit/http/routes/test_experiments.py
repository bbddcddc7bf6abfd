"""What is declared can be read, by an administrator, and nothing can be changed there."""

from pathlib import Path

import pytest

from serving.shops.rules import Rules
from tests.support.service import Service, problem

DECLARED = {
    "holdout": {"share": 0.1},
    "experiments": [
        {
            "key": "spread",
            "status": "running",
            "coverage": 0.5,
            "namespace": {"id": "page", "range": [0, 0.4]},
            "arms": [
                {"key": "control", "weight": 0.75},
                {"key": "wider", "weight": 0.25, "rules": {"diversity": {"max_same": 2}}},
            ],
        },
        {
            "key": "try", "kind": "shadow", "coverage": 0.2,
            "arms": [{"key": "new", "model_version": "8"}],
        },
        {
            "key": "both", "kind": "interleave", "coverage": 0.5,
            "arms": [{"key": "old"}, {"key": "new", "model_version": "8"}],
        },
    ],
}  # fmt: skip


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path, rules=Rules.model_validate(DECLARED))


async def test_all_experiments_are_told_with_how_many_shoppers_they_are_for(shop: Service) -> None:
    found = (await shop.call("GET", "/v1/experiments", "admin")).json()
    assert found["holdout"] == 0.1
    spread, shadow, both = found["experiments"]
    assert (spread["key"], spread["status"], spread["seed"]) == ("spread", "running", "spread")
    # Half of two fifths, of the nine tenths who are not held out, by weight.
    assert [arm["share"] for arm in spread["arms"]] == pytest.approx([0.135, 0.045])
    assert spread["arms"][1]["rules"] == {"diversity": {"max_same": 2}}
    assert (shadow["kind"], shadow["status"], shadow["arms"][0]["share"]) == (
        "shadow",
        "draft",
        0.2,
    )
    # Half of those who are not held out see both arms, which share each slate evenly.
    assert both["kind"] == "interleave"
    assert [(arm["weight"], arm["share"]) for arm in both["arms"]] == [(0.5, 0.45)] * 2


async def test_one_is_told_by_its_key_and_another_is_not_there(shop: Service) -> None:
    everything = (await shop.call("GET", "/v1/experiments", "admin")).json()["experiments"]
    assert (await shop.call("GET", "/v1/experiments/spread", "admin")).json() == everything[0]
    missing = await shop.call("GET", "/v1/experiments/other", "admin")
    assert problem(missing)["code"] == "unknown_experiment"


@pytest.mark.parametrize("path", ["/v1/experiments", "/v1/experiments/spread"])
async def test_only_an_administrator_may_ask(shop: Service, path: str) -> None:
    assert (await shop.call("GET", path, "rank")).status_code == 403
    assert (await shop.call("GET", path, None)).status_code == 401
