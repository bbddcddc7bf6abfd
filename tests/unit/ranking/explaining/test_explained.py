"""An explained answer, by the service: contributions add up to the answered score."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.arrays import FloatArray
from features.events.event import EventType
from serving.errors import ModelTimeoutError
from serving.models.batcher import RankerJob, RankerReply
from serving.models.columns.families import FAMILIES
from serving.shops.rules import Rules
from tests.support.fakes import FakeRanker, state
from tests.support.pictures import look_at, shown_pictures
from tests.support.service import Service, candidates

ITEMS = ("milk", "oat", "butter", "bread", "glass", "dress", "soap")
BASELINE = 0.25
BOOSTED = Rules.model_validate(
    {
        "exploration": {"share": 0},
        "boosts": [{"match": {"brand": "Meadow"}, "lift": 1.0, "reason": "local brand"}],
    }
)


class TellingRanker(FakeRanker):
    """Tells contributions of those that are to be explained; `late`: not in time."""

    late = False
    shift = 0.0  # what they are off by: as another version's would be

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        asked = bool(job.tensors["EXPLAINED"][0])
        if asked and self.late:
            raise ModelTimeoutError("not in time")
        reply = await super().score(job, budget_s)
        keys = job.tensors["ITEM_KEYS"]
        values = (keys % 7).astype(np.float32) + np.float32(self.shift if asked else 0.0)
        told = _shares(values) if asked else None
        return replace(reply, scores=replace(reply.scores, values=values, contributions=told))


def _shares(values: FloatArray) -> FloatArray:
    """The baseline, and families that add up to the rest."""
    rng = np.random.default_rng(0)
    told = np.zeros((len(values), 1 + len(FAMILIES)), np.float32)
    told[:, 0], told[:, 1:] = BASELINE, rng.normal(size=(len(values), len(FAMILIES)))
    told[:, 1] += values - told.sum(axis=1)
    return told


@pytest.fixture
def ranker() -> TellingRanker:
    return TellingRanker()


@pytest.fixture
def shop(tokenizer_path: Path, ranker: TellingRanker) -> Service:
    return Service(tokenizer_path, rules=BOOSTED, ranker=ranker)


async def ranked(shop: Service, **more: Any) -> dict[str, Any]:
    body = {"user_id": "ann", "candidates": candidates(*ITEMS), "explain": True, **more}
    answer = await shop.post("/v1/rank", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("query", [None, "whole milk"])
async def test_contributions_add_up_to_the_score(shop: Service, query: str | None) -> None:
    found = await ranked(shop, query=query)
    assert found["route"] == "model"
    for item in found["items"]:
        told = item["explanation"]
        assert set(told["contributions"]) == {*FAMILIES, "rule"}
        total = told["baseline"] + sum(told["contributions"].values())
        assert total == pytest.approx(item["score"], abs=1e-4)


async def test_a_rule_adds_to_what_it_lifts_alone(shop: Service) -> None:
    items = (await ranked(shop, query="milk butter"))["items"]
    lifted = {item["item_id"] for item in items if item["explanation"]["contributions"]["rule"] > 0}
    assert lifted == {"milk", "butter"}


async def test_what_looks_alike_adds_as_a_rule_does(
    tokenizer_path: Path, ranker: TellingRanker, tmp_path: Path
) -> None:
    pictures, rules = shown_pictures(tmp_path), Rules.model_validate({"looks": {"strength": 1}})
    shop = Service(tokenizer_path, rules=rules, ranker=ranker, pictures=pictures)
    shop.catalog.upsert(shop.items.table.items)
    for item_id in ("oat", "soap"):  # Ann has looked at oat
        look_at(shop, item_id)
    items = (await ranked(shop, query="soap"))["items"]
    by_rule = {each["item_id"]: each["explanation"]["contributions"]["rule"] for each in items}
    assert by_rule.pop("soap") > 0
    assert set(by_rule.values()) == {0}


async def test_what_a_floor_lifts_a_search_by_is_the_part_of_rules(
    tokenizer_path: Path, ranker: TellingRanker
) -> None:
    floor = {"name": "Meadow", "brand": "Meadow", "share": 0.5, "price": 0.5}
    rules = Rules.model_validate({"exploration": {"share": 0}, "floors": [floor]})
    shop = Service(tokenizer_path, rules=rules, ranker=ranker)
    for _ in range(30):  # until something is owed
        items = (await ranked(shop, query="milk butter"))["items"]
    for item in items:
        told = item["explanation"]
        assert told["baseline"] + sum(told["contributions"].values()) == pytest.approx(
            item["score"], abs=1e-4
        )
        lifted = item["item_id"] in ("milk", "butter")
        assert (told["contributions"]["rule"] > 0) == lifted
        assert any("lifted" in reason for reason in told["reasons"]) == lifted


async def test_by_rules_the_signals_are_what_adds(shop: Service) -> None:
    found = await ranked(shop, user_id="stranger")
    assert found["route"] == "cold_start"
    for item in found["items"]:
        told = item["explanation"]
        assert told["baseline"] == 0
        assert sum(told["contributions"].values()) == pytest.approx(item["score"], abs=1e-4)


async def test_only_the_slate_is_told_and_only_when_asked(
    shop: Service, ranker: TellingRanker
) -> None:
    await ranked(shop, explain=False)
    assert [job.rows for job in ranker.jobs] == [len(ITEMS)]
    await ranked(shop, limit=2)
    assert [job.rows for job in ranker.jobs[1:]] == [len(ITEMS), 2]


@pytest.mark.parametrize("wrong", ["late", "shift"])
async def test_what_is_late_or_of_another_version_is_left_out(
    shop: Service, ranker: TellingRanker, wrong: str
) -> None:
    setattr(ranker, wrong, 1.0)
    found = await ranked(shop)
    assert {item["explanation"]["contributions"] for item in found["items"]} == {None}
    assert all(item["explanation"]["parts"] for item in found["items"])


async def test_a_purchase_is_a_reason_in_the_language_of_the_request(shop: Service) -> None:
    ann = str(shop.shop.pseudonyms.user("ann"))
    bought = state("soap", "soap", "soap", kind=EventType.PURCHASE, items=shop.items)
    shop.shoppers.users[ann] = bought
    for locale, words in (("en", "you bought it 3 times"), ("de-DE", "3-mal gekauft"),
                          ("zh-CN", "您买过 3 次")):  # fmt: skip
        found = await ranked(shop, context={"locale": locale}, query="soap")
        told = {item["item_id"]: item["explanation"]["reasons"] for item in found["items"]}
        assert 1 <= len(told["soap"]) <= 3
        assert all(words not in " ".join(told[other]) for other in told if other != "soap")


async def test_the_place_without_history_is_that_of_a_stranger(shop: Service) -> None:
    known = (await ranked(shop, explain="without_history"))["items"]
    stranger = (await ranked(shop, user_id="stranger"))["items"]
    places = {item["item_id"]: item["position"] for item in stranger}
    for item in known:
        told = item["explanation"]["without_history"]
        assert told["position"] == places[item["item_id"]]
        assert str(told["position"]) in told["words"]
    again = (await ranked(shop, user_id="stranger", explain="without_history"))["items"]
    assert {item["explanation"]["without_history"] for item in again} == {None}
