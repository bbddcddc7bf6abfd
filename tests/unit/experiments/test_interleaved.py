"""Two arms in one slate, from the rules to the answer, the record and the metrics."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving.errors import ModelTimeoutError, ModelUnavailableError
from serving.ranking.recorder import Recorder
from serving.ranking.slate.metrics import RankingMetrics
from serving.shops.rules import Rules
from serving.telemetry.metrics import exposition
from tests.support.fakes import FakeLog
from tests.support.service import Service, candidates, ids

OFFERED = ("milk", "oat", "butter", "bread", "soap", "dress")
ASK = {"user_id": "ann", "candidates": candidates(*OFFERED), "explain": True}
ARMS = [{"key": "old"}, {"key": "new", "model_version": "8"}]
BOOST = {"match": {"item_id": "milk"}, "lift": 9, "reason": "tried"}
CREAM = {"match": {"item_id": "butter"}, "lift": 9, "reason": "usual"}


class Interleaved:
    """A shop that interleaves two arms, and what the metrics count of it."""

    def __init__(
        self, tokenizer: Path, *arms: dict[str, Any], rules: dict[str, Any] | None = None
    ) -> None:
        declared = {
            "key": "both", "kind": "interleave", "status": "running", "arms": [*arms] or ARMS,
        }  # fmt: skip
        usual: dict[str, Any] = {"exploration": {"share": 0}, "diversity": {"depth": 0}}
        parsed = Rules.model_validate({**usual, **(rules or {}), "experiments": [declared]})
        self.shop = Service(tokenizer, rules=parsed)
        self.shop.scorer.loaded = {"8"}
        self._before = counted()

    async def ask(self, **fields: Any) -> Any:
        """The answer of one request, as JSON."""
        answer = await self.shop.post("/v1/rank", {**ASK, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def grown(self, name: str) -> dict[str, float]:
        """By the value of the last label but the shop."""
        grown = {line: value - self._before.get(line, 0) for line, value in counted().items()}
        return {
            line.replace(',shop="default"', "").rsplit('="', 1)[1].split('"')[0]: value
            for line, value in grown.items()
            if line.startswith(f"vitrine_{name}{{") and 'experiment="both"' in line and value
        }


@pytest.fixture
def both(tokenizer_path: Path) -> Interleaved:
    return Interleaved(tokenizer_path)


def drafted(answer: Any) -> dict[str, str | None]:
    """Whose pick each item is."""
    return {item["item_id"]: item["explanation"]["drafted_by"] for item in answer["items"]}


async def test_each_version_picks_in_turn_and_the_answer_says_whose_pick_an_item_is(
    both: Interleaved,
) -> None:
    firsts = Counter[str]()
    for _ in range(40):
        found = await both.ask()
        assert (found["route"], found["reason"], found["model_version"]) == ("model", None, "7+8")
        assert found["experiments"] == [{"experiment": "both", "variant": "interleaved"}]
        teams = drafted(found)
        order = list(teams)
        assert sorted(order) == sorted(OFFERED)
        for round_ in range(0, 6, 2):
            assert {teams[item] for item in order[round_ : round_ + 2]} == {"old", "new"}
        # Version 7 has the last of the request first, version 8 the first.
        assert [item for item in order if teams[item] == "old"] == ["dress", "soap", "bread"]
        assert [item for item in order if teams[item] == "new"] == ["milk", "oat", "butter"]
        assert {item["propensity"] for item in found["items"]} == {0.5, 1.0}
        firsts[str(teams[order[0]])] += 1
    assert min(firsts.values()) > 8
    assert both.grown("experiment_rankings_total") == {"interleaved": 40}
    assert both.grown("not_interleaved_total") == {}


async def test_both_versions_are_asked_at_once(both: Interleaved) -> None:
    """One after the other would take longer than one call may."""
    both.shop.scorer.delay_s = 0.1
    found = await both.ask(budget_ms=500)
    assert found["model_version"] == "7+8"
    assert [job.model_version for job in both.shop.scorer.jobs] == [None, "8"]


async def test_an_item_has_the_score_and_its_parts_of_the_arm_that_picked_it(
    both: Interleaved,
) -> None:
    found = await both.ask()
    scores = {item["item_id"]: item["score"] for item in found["items"]}
    assert scores == {"dress": 5, "soap": 4, "bread": 3, "milk": 5, "oat": 4, "butter": 3}
    (slate,) = both.shop.kept.slates
    parts = slate.scores.parts[slate.order][:, 0]
    assert parts == pytest.approx([item["score"] / 6 for item in found["items"]])


@pytest.mark.parametrize(
    ("errors", "loaded", "version", "reason", "first"),
    [
        ({"8": ModelTimeoutError("late")}, {"8"}, "7", "deadline", "dress"),
        ({None: ModelUnavailableError("gone")}, {"8"}, "8", "model_unavailable", "milk"),
        ({}, set(), "7", "version_not_loaded", "dress"),
        ({None: ModelTimeoutError("late")}, set(), "7", "version_not_loaded", "dress"),
    ],
)
async def test_when_one_arm_has_no_answer_the_other_answers_alone_and_it_is_told(
    both: Interleaved, errors: dict[str | None, Exception], loaded: set[str],
    version: str, reason: str, first: str,
) -> None:  # fmt: skip
    both.shop.scorer.errors, both.shop.scorer.loaded = errors, loaded
    found = await both.ask()
    assert (found["route"], found["reason"]) == ("model", reason)
    assert found["model_version"] == version
    assert found["items"][0]["item_id"] == first
    assert set(drafted(found).values()) == {None}
    assert found["experiments"] == [{"experiment": "both", "variant": "interleaved"}]
    (slate,) = both.shop.kept.slates
    assert (slate.teams, slate.arms) == (None, ())
    assert both.grown("not_interleaved_total") == {reason: 1}


async def test_when_no_arm_has_an_answer_rules_rank_and_nothing_is_interleaved(
    both: Interleaved,
) -> None:
    both.shop.scorer.error = ModelTimeoutError("late")
    found = await both.ask()
    assert (found["route"], found["reason"]) == ("fallback", "deadline")
    assert set(drafted(found).values()) == {None}
    assert both.grown("not_interleaved_total") == {"deadline": 1}


async def test_a_new_shopper_is_ranked_by_rules_which_two_versions_share(
    both: Interleaved,
) -> None:
    found = await both.ask(user_id="nobody-yet")
    assert (found["route"], found["reason"]) == ("cold_start", "new_shopper")
    assert set(drafted(found).values()) == {None}
    assert both.shop.scorer.jobs == []
    assert both.grown("not_interleaved_total") == {"new_shopper": 1}


async def test_arms_that_differ_in_rules_are_scored_by_one_call(tokenizer_path: Path) -> None:
    rules = {"boosts": [BOOST]}
    both = Interleaved(
        tokenizer_path, {"key": "usual"}, {"key": "boosted", "rules": rules},
        rules={"boosts": [CREAM]},
    )  # fmt: skip
    found = await both.ask()
    assert len(both.shop.scorer.jobs) == 1
    assert found["model_version"] == "7"
    teams = drafted(found)
    assert set(list(teams)[:2]) == {"milk", "butter"}
    assert (teams["butter"], teams["milk"]) == ("usual", "boosted")
    notes = {item["item_id"]: item["explanation"]["rules"] for item in found["items"]}
    assert notes["milk"] == ["boost +9: tried"]
    assert notes["butter"] == ["boost +9: usual"]


async def test_rules_for_new_shoppers_are_interleaved_and_the_model_s_rankings_are_alike(
    tokenizer_path: Path,
) -> None:
    weights = {"weights": {"popularity": 0.0, "newness": 0.0, "retrieval": -5.0}}
    both = Interleaved(
        tokenizer_path, {"key": "old"}, {"key": "new", "rules": {"cold_start": weights}}
    )
    scored = [{"item_id": item, "retrieval_score": float(n)} for n, item in enumerate(OFFERED)]
    found = await both.ask(user_id="nobody-yet", candidates=scored)
    assert (found["route"], found["reason"]) == ("cold_start", "new_shopper")
    assert set(drafted(found).values()) == {"old", "new"}
    assert next(item for item, arm in drafted(found).items() if arm == "new") == "milk"
    assert both.grown("not_interleaved_total") == {}
    known = await both.ask()
    assert (known["reason"], set(drafted(known).values())) == (None, {None})
    assert both.grown("not_interleaved_total") == {"alike": 1}


async def test_what_is_pinned_or_buried_is_nobody_s_and_the_shop_s_rules_hold(
    tokenizer_path: Path,
) -> None:
    both = Interleaved(
        tokenizer_path,
        rules={
            "pins": [{"item_id": "bread", "position": 1, "reason": "ours"}],
            "buries": [{"match": {"item_id": "milk"}, "reason": "recall"}],
        },
    )
    found = await both.ask()
    teams = drafted(found)
    assert [*teams][:: len(teams) - 1] == ["bread", "milk"]
    assert teams["bread"] is teams["milk"] is None
    assert all(teams[item] in ("old", "new") for item in ("oat", "butter", "soap", "dress"))


async def test_the_record_says_whose_pick_each_item_is_by_the_arms_names(
    both: Interleaved,
) -> None:
    found = await both.ask(limit=4)
    (slate,) = both.shop.kept.slates
    log = FakeLog()
    recorder = Recorder(RankingMetrics().observe)
    recorder.record(replace(both.shop.shop, log=log), slate)
    recorder.stop()
    (record,) = log.rankings
    assert record.teams is not None
    assert record.arms == ("old", "new")
    picked = [record.arms[team] for team in record.teams.tolist()]
    assert dict(zip(record.item_ids, picked, strict=True)) == drafted(found)
    assert (record.variant, record.model_version) == ("both/interleaved", "7+8")
    assert record.scores.tolist() == [item["score"] for item in found["items"]]


async def test_what_is_recommended_and_searched_is_interleaved_as_well(both: Interleaved) -> None:
    for path, more in (("/v1/recommend", {}), ("/v1/search", {"query": ""})):
        found = (await both.shop.post(path, {"user_id": "ann", "explain": True, **more})).json()
        assert found["model_version"] == "7+8"
        assert set(drafted(found).values()) == {"old", "new"}


async def test_an_order_of_the_callers_own_is_not_interleaved(both: Interleaved) -> None:
    body = {"query": "milk", "user_id": "ann", "sort": "price_asc"}
    found = (await both.shop.post("/v1/search", body)).json()
    assert found["reason"] == "sorted"
    assert both.grown("not_interleaved_total") == {"sorted": 1}


async def test_who_is_not_in_it_is_ranked_by_the_version_in_use(both: Interleaved) -> None:
    answer = await both.shop.post("/v1/rank", {"candidates": candidates(*OFFERED), "query": "milk"})
    assert answer.json()["model_version"] == "7"
    assert ids(answer)
    assert both.grown("experiment_rankings_total") == {}


def counted() -> dict[str, float]:
    lines = [line for line in exposition().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
