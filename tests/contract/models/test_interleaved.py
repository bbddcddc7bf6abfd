"""Two versions under the real tritonserver share slates, from the rules to the verdict."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from features.behavior.matrix import FEATURE_NAMES
from features.events.event import BehaviorEvent, EventType
from features.events.sqlite_log import SqliteEventLog
from serving.experiments.report.__main__ import main
from serving.local.model_server import ModelServer
from serving.models.batcher import Ranker
from serving.models.contract import candidate_model
from serving.models.settings import RankerSettings
from serving.models.triton import TritonRanker
from serving.models.versions import VersionedRanker
from serving.ranking.recorder import Recorder
from serving.shops.rules import Rules
from serving.training.publish.base_model import base_folder
from serving.training.publish.candidates import withdraw
from serving.training.publish.models import publish_ranker
from serving.training.publish.repository import offered, version_in_use
from tests.support.fakes import NOW_S, state
from tests.support.service import Service, candidates

pytestmark = pytest.mark.timeout(300)
OFFERED = ("milk", "oat", "butter", "bread", "glass", "dress", "soap")
SHOPPERS = 180  # of whom more than a verdict needs see both
PATIENT = 5_000  # ms: the machine may have much other work


@pytest.fixture
def candidate(server: ModelServer, repository: Path, bundles: list[Path]) -> Iterator[int]:
    """A version that is served beside the one in use."""
    urls = [server.http_url]
    number = publish_ranker(repository, bundles[1], reload_urls=urls, candidate=True)
    yield number
    if number in offered(repository, "ranker"):
        withdraw(repository, "ranker", number, urls)


def declared(version: int) -> dict[str, Any]:
    arms = [{"key": "old"}, {"key": "new", "model_version": str(version)}]
    experiment = {"key": "both", "kind": "interleave", "status": "running", "arms": arms}
    return {"diversity": {"depth": 3, "max_same": 1, "window": 2}, "experiments": [experiment]}


@pytest.fixture
async def shop(server: ModelServer, candidate: int) -> AsyncIterator[Service]:
    """Asks the real model server, and knows all its shoppers."""
    models: list[TritonRanker] = []

    def asking(model: str) -> Ranker:
        models.append(TritonRanker(server.grpc_address, model, feature_names=FEATURE_NAMES))
        return Ranker(models[-1], RankerSettings())

    ranker = VersionedRanker(
        asking("ranker"), lambda version: asking(candidate_model("ranker", version))
    )
    rules = Rules.model_validate(declared(candidate))
    found = Service(base_folder() / "tokenizer.json", rules=rules, ranker=ranker)
    for number in range(SHOPPERS):
        user = str(found.shop.pseudonyms.user(f"u{number}"))
        first, kind = number % 5, (EventType.VIEW, EventType.PURCHASE)[number % 2]
        seen = OFFERED[first : first + 2 + number % 3]
        found.shoppers.users[user] = state(*seen, kind=kind, items=found.items)
    yield found
    for model in models:
        await model.close()


async def ask(shop: Service, number: int) -> Any:
    body = {"user_id": f"u{number}", "candidates": candidates(*OFFERED), "explain": True}
    answer = await shop.post("/v1/rank", {**body, "budget_ms": PATIENT})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_shoppers_who_like_one_versions_picks_are_found_to_prefer_it(
    shop: Service, repository: Path, candidate: int, tmp_path: Path
) -> None:
    in_use = version_in_use(repository, "ranker")
    log, recorder = SqliteEventLog(tmp_path / "events.db"), Recorder()
    shared = 0
    for number in range(SHOPPERS):
        found = await ask(shop, number)
        teams = {item["item_id"]: item["explanation"]["drafted_by"] for item in found["items"]}
        if None in teams.values():
            continue  # both versions have these in one order, or one of them was late
        shared += 1
        assert found["model_version"] == f"{in_use}+{candidate}"
        liked = next(item for item, arm in teams.items() if arm == "new")
        click = BehaviorEvent(
            f"e{number}", EventType.CLICK, NOW_S + 1, str(shop.shop.pseudonyms.user(f"u{number}")),
            item_id=liked, ranking_id=found["ranking_id"],
        )  # fmt: skip
        log.append([click])
    assert shared > 100
    for slate in shop.kept.slates:
        recorder.record(replace(shop.shop, log=log), slate)
    recorder.stop()
    log.close()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(declared(candidate)))
    asked = ["of", "both", "--state", str(tmp_path), "--out", str(tmp_path)]
    assert main([*asked, "--until", str(NOW_S + 86_400)]) == 0
    told = json.loads((tmp_path / "experiment-both.json").read_text())
    assert (told["rankings"], told["interleaved"]) == (SHOPPERS, shared)
    assert [team["clicks"] for team in told["teams"]] == [0, shared]
    assert told["verdict"]["sentence"].startswith("Shoppers prefer new: it has 100.0% of the")


async def test_a_version_that_is_withdrawn_leaves_the_slate_to_the_one_in_use(
    shop: Service, server: ModelServer, repository: Path, candidate: int
) -> None:
    assert (await ask(shop, 0))["reason"] is None
    withdraw(repository, "ranker", candidate, [server.http_url])
    found = await ask(shop, 1)
    assert (found["route"], found["reason"]) == ("model", "version_not_loaded")
    assert found["model_version"] == str(version_in_use(repository, "ranker"))
    assert {item["explanation"]["drafted_by"] for item in found["items"]} == {None}
    assert shop.kept.slates[-1].teams is None
