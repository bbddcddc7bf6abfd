"""An experiment from the rules to the answer, the record and the metrics, over HTTP."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.behavior.state import BehaviorState
from features.events.log import RankingRecord
from serving.ranking.recorder import Recorder
from serving.shops.rules import Rules
from serving.telemetry.metrics import exposition
from tests.support.fakes import FakeLog
from tests.support.service import Service, candidates, ids

PINNED = {"pins": [{"item_id": "soap", "position": 1, "reason": "tried"}]}
ARMS = [{"key": "control"}, {"key": "pinned", "rules": PINNED}]
ASK = {"candidates": candidates("milk", "oat", "soap", "dress"), "context": {"locale": "en-GB"}}


def shop_with(tokenizer: Path, **fields: Any) -> Service:
    experiment = {"key": "pins", "status": "running", "arms": ARMS, **fields}
    rules = Rules.model_validate({"exploration": {"share": 0}, "experiments": [experiment]})
    return Service(tokenizer, rules=rules)


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return shop_with(tokenizer_path)


async def ask(shop: Service, **fields: Any) -> Any:
    return await shop.post("/v1/rank", {**ASK, **fields})


async def test_each_shopper_is_ranked_by_the_rules_of_an_arm_and_told_which(shop: Service) -> None:
    seen = set()
    for number in range(24):
        answer = await ask(shop, user_id=f"user-{number}")
        (told,) = answer.json()["experiments"]
        assert told["experiment"] == "pins"
        assert answer.headers["x-vitrine-variant"] == f"pins/{told['variant']}"
        assert (ids(answer)[0] == "soap") is (told["variant"] == "pinned")
        again = await ask(shop, user_id=f"user-{number}")
        assert again.json()["experiments"] == [told]
        seen.add(told["variant"])
    assert seen == {"control", "pinned"}


async def test_who_is_not_meant_is_ranked_as_ever_and_told_nothing(tokenizer_path: Path) -> None:
    shop = shop_with(tokenizer_path, targeting={"locales": ["de"]})
    answer = await ask(shop, user_id="user-1")
    assert "experiments" not in answer.json()
    assert answer.headers["x-vitrine-variant"] == "default"


async def test_a_store_that_is_down_keeps_a_user_out_rather_than_in_the_wrong_arm(
    shop: Service,
) -> None:
    shop.shoppers.error = OSError("down")
    answer = await ask(shop, user_id="user-1", session_id="s9")
    assert answer.json()["reason"] == "features_unavailable"
    assert "experiments" not in answer.json()


async def test_the_arm_of_a_session_is_kept_after_the_sign_in(shop: Service) -> None:
    """Before, while nothing is known of the user, and when the fold has made the user known."""
    names = shop.shop.pseudonyms
    for number in range(24):
        user, session = f"new-{number}", f"visit-{number}"
        before = (await ask(shop, session_id=session)).json()["experiments"]
        during = (await ask(shop, session_id=session, user_id=user)).json()["experiments"]
        began_as = BehaviorState(counts={"click": 1}, origin=str(names.session(session)))
        shop.shoppers.users[str(names.user(user))] = began_as
        after = (await ask(shop, session_id=session, user_id=user)).json()["experiments"]
        elsewhere = (await ask(shop, session_id="other-device", user_id=user)).json()["experiments"]
        assert before == during == after == elsewhere


async def test_a_returning_user_has_the_users_own_arm_whatever_the_session_had(
    shop: Service,
) -> None:
    shop.shoppers.users[str(shop.shop.pseudonyms.user("back"))] = BehaviorState(counts={"click": 1})
    arms = {
        str((await ask(shop, user_id="back", session_id=f"visit-{number}")).json()["experiments"])
        for number in range(12)
    }
    assert len(arms) == 1


async def test_the_arm_stands_in_the_record_with_whom_it_was_drawn_by(shop: Service) -> None:
    await ask(shop, session_id="visit")
    (slate,) = shop.kept.slates
    log = FakeLog()
    recorder = Recorder()
    recorder.record(replace(shop.shop, log=log), slate)
    recorder.stop()
    (record,) = log.rankings
    assert isinstance(record, RankingRecord)
    (exposure,) = record.exposures
    assert record.variant == exposure.label
    assert (exposure.experiment, exposure.hash_attribute) == ("pins", "session")
    assert exposure.hash_value == record.session_id == shop.shop.pseudonyms.session("visit")


async def test_metrics_count_declared_arms_alone(shop: Service) -> None:
    before = counted()
    for number in range(12):
        await ask(shop, user_id=f"m-{number}")
    await shop.post("/v1/rank", ASK)  # of nobody
    grown = {line: value - before.get(line, 0) for line, value in counted().items()}
    by_arm = {line: value for line, value in grown.items() if value}
    assert sum(by_arm.values()) == 12
    assert {line.split('variant="')[1].split('"')[0] for line in by_arm} == {"control", "pinned"}
    assert all('experiment="pins"' in line for line in by_arm)


def counted() -> dict[str, float]:
    lines = exposition().decode().splitlines()
    named = [line for line in lines if line.startswith("vitrine_experiment_rankings_total{")]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in named}
