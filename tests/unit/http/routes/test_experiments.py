"""What is declared can be read by an administrator, what was found of it, and by which versions."""

from pathlib import Path

import pytest

from serving.errors import ModelUnavailableError
from serving.experiments.published import keep_reading
from serving.http.schemas.example_experiment import READING
from serving.http.schemas.readings import ReadingOut
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
    assert spread["read_at"] is None
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


async def test_a_reading_is_told_as_it_was_kept(shop: Service) -> None:
    keep_reading(shop.controls, "spread", READING)
    declared = (await shop.call("GET", "/v1/experiments/spread", "admin")).json()
    assert declared["read_at"] == READING["read_at"]
    told = await shop.call("GET", "/v1/experiments/spread/reading", "admin")
    assert told.json() == READING
    assert ReadingOut.model_validate_json(told.content).verdict.word == "better"


@pytest.mark.parametrize(
    ("key", "code"), [("spread", "no_reading"), ("other", "unknown_experiment")]
)
async def test_what_was_not_read_and_what_is_not_there_are_told_apart(
    shop: Service, key: str, code: str
) -> None:
    keep_reading(shop.controls, "other", READING)  # of an experiment that is declared no more
    missing = await shop.call("GET", f"/v1/experiments/{key}/reading", "admin")
    assert (missing.status_code, problem(missing)["code"]) == (404, code)


async def test_a_store_that_is_away_is_no_missing_reading(shop: Service) -> None:
    shop.controls.error = ConnectionError("refused")
    answer = await shop.call("GET", "/v1/experiments/spread/reading", "admin")
    assert (answer.status_code, problem(answer)["code"]) == (503, "store_away")


TRIED = {
    "experiments": [
        {
            "key": "ranker", "status": "running",
            "arms": [{"key": "old"}, {"key": "new", "model_version": "8"}],
        },
        {
            "key": "dark", "kind": "shadow", "status": "running",
            "arms": [{"key": "new", "model_version": "9"}],
        },
        {
            "key": "over", "kind": "shadow", "status": "stopped",
            "arms": [{"key": "new", "model_version": "6"}],
        },
    ],
}  # fmt: skip


async def test_versions_are_told_with_whether_they_answer_for_themselves(
    tokenizer_path: Path,
) -> None:
    shop = Service(tokenizer_path, rules=Rules.model_validate(TRIED))
    shop.scorer.loaded = {"8"}
    told = (await shop.call("GET", "/v1/versions", "admin")).json()
    assert told == {
        "in_use": "7",
        "candidates": [
            {"version": "8", "loaded": True, "experiments": ["ranker"], "placements": []},
            {"version": "9", "loaded": False, "experiments": ["dark"], "placements": []},
        ],
    }
    shop.scorer.error = ModelUnavailableError("down")
    told = (await shop.call("GET", "/v1/versions", "admin")).json()
    assert [each["loaded"] for each in told["candidates"]] == [None, None]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/experiments",
        "/v1/experiments/spread",
        "/v1/experiments/spread/reading",
        "/v1/versions",
    ],
)
async def test_only_an_administrator_may_ask(shop: Service, path: str) -> None:
    assert (await shop.call("GET", path, "rank")).status_code == 403
    assert (await shop.call("GET", path, None)).status_code == 401
