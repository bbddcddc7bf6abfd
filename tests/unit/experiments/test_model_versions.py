"""An arm's version of the ranker, and a shadow's, from the rules to the answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.errors import ModelTimeoutError
from serving.experiments.comparison import rank_biased_overlap, score_shift, top_overlap
from serving.shops.rules import Rules
from serving.telemetry.metrics import exposition
from tests.support.service import Service, candidates, ids

ASK = {"user_id": "ann", "candidates": candidates("milk", "oat", "soap", "dress")}
NEW = {"key": "new", "model_version": "8"}


def shop_with(tokenizer: Path, experiment: dict[str, Any], **sections: Any) -> Service:
    base = {"status": "running", **experiment}
    rules = {"exploration": {"share": 0}, "diversity": {"depth": 0}, "experiments": [base]}
    return Service(tokenizer, rules=Rules.model_validate(rules), **sections)


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    arms = [{"key": "old", "weight": 0}, {**NEW, "weight": 1}]
    return shop_with(tokenizer_path, {"key": "ranker", "arms": arms})


async def test_an_arm_is_ranked_by_its_version(shop: Service) -> None:
    shop.scorer.loaded = {"8"}
    answer = await shop.post("/v1/rank", ASK)
    found = answer.json()
    assert (found["model_version"], found["reason"]) == ("8", None)
    assert ids(answer)[0] == "milk"  # version 8 has the first first, version 7 the last
    assert found["experiments"] == [{"experiment": "ranker", "variant": "new"}]


async def test_a_version_that_is_not_loaded_is_no_failure_and_is_told(shop: Service) -> None:
    answer = await shop.post("/v1/rank", ASK)
    found = answer.json()
    assert (found["route"], found["reason"]) == ("model", "version_not_loaded")
    assert found["model_version"] == "7"
    assert ids(answer)[0] == "dress"
    (slate,) = shop.kept.slates
    assert slate.assignment.variant == "ranker/new"


async def test_a_version_that_is_late_is_answered_by_rules_as_any_other(shop: Service) -> None:
    shop.scorer.error = ModelTimeoutError("late")
    found = (await shop.post("/v1/rank", ASK)).json()
    assert (found["route"], found["reason"]) == ("fallback", "deadline")


async def test_a_shop_is_ranked_by_the_version_that_its_rules_name(tokenizer_path: Path) -> None:
    rules = Rules.model_validate(
        {
            "exploration": {"share": 0}, "diversity": {"depth": 0}, "ranker": "8",
            "placements": {"home": {"ranker": "9"}, "cart": {}},
        }
    )  # fmt: skip
    shop = Service(tokenizer_path, rules=rules)
    shop.scorer.loaded = {"8", "9"}
    assert rules.ranker_versions == ["8", "9"]
    for body, version in (
        ({}, "8"), ({"placement": "cart"}, "8"), ({"placement": "home"}, "9"),
    ):  # fmt: skip
        found = (await shop.post("/v1/rank", {**ASK, **body})).json()
        assert (found["model_version"], found["reason"]) == (version, None)
    shop.scorer.loaded = set()
    found = (await shop.post("/v1/rank", ASK)).json()
    assert (found["route"], found["reason"]) == ("model", "version_not_loaded")


class Shadowed:
    """A shop whose requests a candidate ranks as well, and what the metrics say of it."""

    def __init__(self, tokenizer: Path, **sections: Any) -> None:
        experiment = {"key": "try", "kind": "shadow", "arms": [NEW]}
        self.shop = shop_with(tokenizer, experiment, **sections)
        self.before = counted()

    async def ask(self, **fields: Any) -> Any:
        answer = await self.shop.post("/v1/rank", {**ASK, **fields})
        await self.shop.shadow.settled()
        return answer.json()

    def grown(self, name: str) -> dict[str, float]:
        """By the value of the last label but the shop."""
        grown = {line: value - self.before.get(line, 0) for line, value in counted().items()}
        return {
            line.replace(',shop="default"', "").rsplit('="', 1)[1].split('"')[0]: value
            for line, value in grown.items()
            if line.startswith(f"vitrine_shadow_{name}{{") and value
        }


@pytest.fixture
def shadowed(tokenizer_path: Path) -> Shadowed:
    found = Shadowed(tokenizer_path)
    found.shop.scorer.loaded = {"8"}
    return found


async def test_a_shadow_ranks_after_the_answer_and_only_metrics_know(shadowed: Shadowed) -> None:
    found = await shadowed.ask()
    assert found["model_version"] == "7"
    assert "experiments" not in found
    assert [job.model_version for job in shadowed.shop.scorer.jobs] == [None, "8"]
    assert len(shadowed.shop.kept.slates) == 1
    assert shadowed.grown("rankings_total") == {"ok": 1}
    assert shadowed.grown("overlap_count") == {"try": 1}
    reversed_ = rank_biased_overlap(np.arange(4), np.arange(4)[::-1])
    assert shadowed.grown("overlap_sum")["try"] == pytest.approx(reversed_)
    assert shadowed.grown("model_seconds_count") == {"live": 1, "candidate": 1}


async def test_a_shadow_waits_for_nobody_to_wait(shadowed: Shadowed) -> None:
    shadowed.shop.scorer.delay_s = 0.05
    answer = await shadowed.shop.post("/v1/rank", ASK)
    assert answer.status_code == 200
    await shadowed.shop.post("/v1/rank", ASK)  # under way when the shadow's turn would come
    await shadowed.shop.shadow.settled()
    # The first found no room; the second had it, when both were answered.
    assert shadowed.grown("rankings_total") == {"busy": 1, "ok": 1}
    assert [job.model_version for job in shadowed.shop.scorer.jobs] == [None, None, "8"]


@pytest.mark.parametrize(
    ("outcome", "change"),
    [
        ("version_not_loaded", {"loaded": set[str]()}),
        ("not_by_model", {"user_id": None}),
    ],
)
async def test_what_cannot_be_compared_is_counted_by_why(
    shadowed: Shadowed, outcome: str, change: dict[str, Any]
) -> None:
    if "loaded" in change:
        shadowed.shop.scorer.loaded = change.pop("loaded")
    await shadowed.ask(**change)
    assert shadowed.grown("rankings_total") == {outcome: 1}
    assert shadowed.grown("overlap_count") == {}


async def test_a_candidate_s_error_is_counted_and_nobody_sees_it(shadowed: Shadowed) -> None:
    await shadowed.shop.post("/v1/rank", ASK)
    shadowed.shop.scorer.error = ModelTimeoutError("late")
    await shadowed.shop.shadow.settled()
    assert shadowed.grown("rankings_total") == {"deadline": 1}


def test_the_overlap_of_equal_orders_is_one_and_weighs_the_top() -> None:
    same = np.arange(20)
    top, bottom = same.copy(), same.copy()
    top[[0, 1]], bottom[[18, 19]] = top[[1, 0]], bottom[[19, 18]]
    assert rank_biased_overlap(same, same) == pytest.approx(1.0)
    assert rank_biased_overlap(same, top) < rank_biased_overlap(same, bottom) < 1.0
    assert rank_biased_overlap(same, same[::-1]) < 0.3


def test_the_overlap_is_the_sum_of_its_definition() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.permutation(12), rng.permutation(12)
    agreements = [len({*one[:d]} & {*other[:d]}) / d for d in range(1, 13)]
    p = 0.9
    beyond = 10_000  # places at which both hold the same items
    long = [*agreements, *[1.0] * beyond]
    infinite = (1 - p) * sum(a * p**d for d, a in enumerate(long))
    assert rank_biased_overlap(one, other) == pytest.approx(infinite)


def test_the_top_and_the_shift_say_what_they_say() -> None:
    one = np.arange(20)
    assert top_overlap(one, one[::-1]) == 0
    assert top_overlap(one, np.r_[one[5:], one[:5]]) == 0.5
    before = np.array([0, 1, 2, 3], np.float32)
    assert score_shift(before, before + 2) == pytest.approx(2 / before.std())


def counted() -> dict[str, float]:
    lines = [line for line in exposition().decode().splitlines() if "vitrine_shadow" in line]
    told = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in told}
