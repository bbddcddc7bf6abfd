"""A slate in time, whatever is down, and it says by which route and why."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.behavior.matrix import FEATURE_NAMES
from serving.errors import (
    BadModelOutputError,
    ModelOverloadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RankingError,
)
from serving.models.latency import LatencyEstimate
from serving.models.tokenizer import Tokenizer
from serving.ranking.admission import Admission
from serving.ranking.cold_start import cold_start_scores
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.request import Recommend, Search, Source
from serving.ranking.settings import AdmissionSettings, PipelineSettings
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.sources import Sources
from serving.ranking.values import FeatureMatrix, Slate
from serving.search.settings import RetrievalSettings
from serving.shops.rules import Rules
from serving.telemetry.stages import Stages
from serving.types import Reason, Route, Scores
from tests.support.fakes import (
    FakeEncoder,
    FakeRanker,
    FakeShoppers,
    context,
    given,
    groceries,
    state,
)
from tests.support.service import Kept, shop_of, usual_limits

ITEMS = ("milk", "oat", "bread", "unheard of")


@dataclass
class FakeColdStart:
    """A `cold_start.ColdStartClient`: the first are the best."""

    error: Exception | None = None
    calls: int = 0

    async def score(self, features: FeatureMatrix, budget_s: float) -> Scores:
        self.calls += 1
        if self.error:
            raise self.error
        values = -np.arange(len(features.values), dtype=np.float32)
        return Scores(values, np.zeros((len(values), 0), np.float32), ())


@dataclass
class World:
    """A pipeline and what it depends on."""

    encoder: Tokenizer
    shoppers: FakeShoppers = field(default_factory=FakeShoppers)
    scorer: FakeRanker = field(default_factory=FakeRanker)
    cold_start: FakeColdStart | None = field(default_factory=FakeColdStart)
    stages: Stages = field(default_factory=Stages)
    latency: LatencyEstimate = field(default_factory=lambda: LatencyEstimate(lambda: 0.0))
    kept: Kept = field(default_factory=Kept)
    rules: dict[str, Any] = field(default_factory=dict)  # beside those without chance

    async def rank(self, *item_ids: str, **fields: Any) -> Slate:
        """Of the given candidates."""
        slate = await self.slate(given(*item_ids), **fields)
        assert sorted(slate.order.tolist()) == list(range(len(item_ids)))
        return slate

    async def slate(self, source: Source, **fields: Any) -> Slate:
        """Of candidates from anywhere."""
        no_chance = {"exploration": {"share": 0}, "diversity": {"depth": 0}}
        rules = Rules.model_validate(no_chance | self.rules)
        shop = shop_of(groceries(self.encoder), self.shoppers, rules=rules)
        settings = PipelineSettings(min_shortlist=2)
        retrieval = RetrievalSettings(vectors_path=Path("x"), neighbors_path=Path("x"))
        pipeline = RankingPipeline(
            Admission(AdmissionSettings()),
            ShopperFeatures(self.encoder, usual_limits(), settings),
            Sources(FakeEncoder(self.encoder), retrieval, settings),
            self.scorer,
            self.cold_start,
            SlatePolicy(np.random.default_rng(0)),
            self.kept,
            settings,
            self.latency,
        )
        slate = await pipeline.rank(shop, source, context(**fields), self.stages)
        assert np.isfinite(slate.scores.values).all()
        assert self.kept.slates[-1] is slate
        return slate


@pytest.fixture
def world(encoder: Tokenizer) -> World:
    world = World(encoder)
    world.shoppers.users["u"] = state("milk", "oat", "milk")
    return world


def within(budget_s: float) -> float:
    return time.monotonic() + budget_s


async def test_a_known_shopper_is_ranked_by_the_model(world: World) -> None:
    slate = await world.rank(*ITEMS, user_id="u")
    assert (slate.route, slate.reason) == (Route.MODEL, None)
    assert slate.order.tolist() == [3, 2, 1, 0]
    assert slate.scores.model_version == "7"
    (job,) = world.scorer.jobs
    assert job.tensors["FEATURES"].shape == (4, len(FEATURE_NAMES))
    assert job.tensors["USER_HISTORY_COUNTS"].tolist() == [2]
    for stage in ("features", "score", "slate", "batch_wait", "model"):
        assert f"{stage};dur=" in world.stages.header()


async def test_a_new_shopper_is_ranked_by_rules(world: World) -> None:
    slate = await world.rank(*ITEMS, user_id="new")
    assert (slate.route, slate.reason) == (Route.COLD_START, Reason.NEW_SHOPPER)
    assert slate.order.tolist() == [0, 1, 2, 3]
    assert world.scorer.jobs == []


async def test_one_interaction_is_too_little_and_two_are_enough(world: World) -> None:
    world.shoppers.users["once"] = state("milk")
    world.shoppers.sessions["twice"] = state("milk", "oat", user=False)
    assert (await world.rank(*ITEMS, user_id="once")).route is Route.COLD_START
    assert (await world.rank(*ITEMS, session_id="twice")).route is Route.MODEL


async def test_a_query_or_seeds_speak_for_somebody_unknown(world: World) -> None:
    assert (await world.rank(*ITEMS, query="milk")).route is Route.MODEL
    assert (await world.slate(Recommend(("oat",)))).route is Route.MODEL
    assert world.scorer.jobs[1].tensors["SESSION_HISTORY_COUNTS"].tolist() == [1]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModelUnavailableError("gone"), Reason.MODEL_UNAVAILABLE),
        (ModelOverloadedError("full"), Reason.MODEL_OVERLOADED),
        (ModelTimeoutError("late"), Reason.DEADLINE),
        (BadModelOutputError("nan"), Reason.BAD_MODEL_OUTPUT),
        (RankingError("something else"), Reason.MODEL_UNAVAILABLE),
    ],
)
async def test_a_ranker_that_fails_degrades_to_rules_and_says_why(
    world: World, error: RankingError, reason: Reason
) -> None:
    world.scorer.error = error
    slate = await world.rank(*ITEMS, user_id="u")
    assert (slate.route, slate.reason) == (Route.FALLBACK, reason)
    assert "popularity" in slate.scores.part_names
    assert world.cold_start
    assert world.cold_start.calls == 0  # the last resort needs no other process


async def test_a_store_that_fails_degrades_to_rules_and_says_why(world: World) -> None:
    world.shoppers.error = OSError("disk")
    slate = await world.rank(*ITEMS, user_id="u", query="milk")
    assert (slate.route, slate.reason) == (Route.FALLBACK, Reason.FEATURES_UNAVAILABLE)
    assert slate.candidates.item_ids[slate.order[0]] == "milk"  # the items are still known


async def test_a_store_that_hangs_costs_its_budget_and_no_more(world: World) -> None:
    world.shoppers.delay_s = 0.4
    started_s = time.monotonic()
    slate = await world.rank(*ITEMS, user_id="u", deadline_s=within(5.0))
    assert time.monotonic() - started_s < 0.35
    assert (slate.route, slate.reason) == (Route.FALLBACK, Reason.FEATURES_UNAVAILABLE)


async def test_a_store_that_is_only_too_slow_for_the_deadline_is_not_blamed(world: World) -> None:
    world.shoppers.delay_s = 0.05
    slate = await world.rank(*ITEMS, user_id="u", deadline_s=within(0.01))
    assert (slate.route, slate.reason) == (Route.FALLBACK, Reason.DEADLINE)


async def test_no_time_for_the_model_means_rules_at_once(world: World) -> None:
    slate = await world.rank(*ITEMS, query="milk", deadline_s=within(-1.0))
    assert (slate.route, slate.reason) == (Route.FALLBACK, Reason.DEADLINE)
    assert world.scorer.jobs == []


async def test_the_model_leaves_the_rules_their_time(world: World) -> None:
    """A scorer that uses its budget up still leaves a slate before the deadline."""

    class Slow(FakeRanker):
        async def score(self, job: object, budget_s: float) -> object:  # type: ignore[override]
            await asyncio.sleep(budget_s)
            raise ModelTimeoutError("late")

    world.scorer = Slow()
    deadline_s = within(0.3)
    slate = await world.rank(*ITEMS, user_id="u", deadline_s=deadline_s)
    assert time.monotonic() < deadline_s + 0.05
    assert (slate.route, slate.reason) == (Route.FALLBACK, Reason.DEADLINE)


async def test_when_time_is_short_the_model_ranks_the_best_by_rules(world: World) -> None:
    world.latency.answered(100, 5.0)  # 50 ms a candidate: two fit into the model's 150 ms
    slate = await world.rank(*ITEMS, user_id="u")
    assert (slate.route, slate.reason) == (Route.MODEL, Reason.SHORTLIST)
    (job,) = world.scorer.jobs
    assert job.rows == 2
    by_rules = cold_start_scores(slate.features, Rules().cold_start).values
    best = np.argsort(-by_rules, kind="stable")
    # The model's own order of the best, then the rest as the rules have it.
    assert slate.order.tolist() == [*sorted(best[:2].tolist(), reverse=True), *best[2:].tolist()]
    assert (np.diff(slate.scores.values[slate.order]) <= 0).all()
    assert np.isnan(slate.scores.parts[best[2:]]).all()


async def test_answers_that_come_late_make_the_next_shortlist_shorter(world: World) -> None:
    world.scorer.error = ModelTimeoutError("late")
    await world.rank(*ITEMS, user_id="u")
    world.scorer.error = None
    slate = await world.rank(*ITEMS, user_id="u")
    assert (slate.route, slate.reason) == (Route.MODEL, Reason.SHORTLIST)
    assert world.scorer.jobs[-1].rows == 2  # never less than the least


async def test_a_cold_start_deployment_that_is_dead_is_not_missed(world: World) -> None:
    assert world.cold_start
    world.cold_start.error = ModelUnavailableError("gone")
    slate = await world.rank(*ITEMS)
    assert (slate.route, slate.reason) == (Route.COLD_START, Reason.NEW_SHOPPER)
    assert world.cold_start.calls == 1


async def test_with_everything_dead_there_is_still_a_slate(world: World) -> None:
    world.shoppers.error = OSError("disk")
    world.scorer.error = ModelUnavailableError("gone")
    assert world.cold_start
    world.cold_start.error = ModelUnavailableError("gone")
    slate = await world.rank(*ITEMS, user_id="u")
    assert slate.route is Route.FALLBACK


async def test_the_shopper_is_read_once_wherever_candidates_come_from(world: World) -> None:
    for source in (given(*ITEMS), Search("milk"), Recommend()):
        world.shoppers.reads = 0
        await world.slate(source, user_id="u")
        assert world.shoppers.reads == 1


async def test_a_store_that_hangs_is_asked_once_for_recommendations_too(world: World) -> None:
    world.shoppers.delay_s = 0.4  # the features' budget is 0.1 s, and each read would take it
    slate = await world.slate(Recommend(), user_id="u", deadline_s=within(5.0))
    assert world.shoppers.reads == 1
    assert (slate.route, slate.reason) == (Route.FALLBACK, Reason.FEATURES_UNAVAILABLE)
    assert len(slate.order) > 0


async def test_without_a_deployment_a_new_shopper_is_ranked_by_rules_here(world: World) -> None:
    world.cold_start = None
    slate = await world.rank(*ITEMS, user_id="new")
    assert (slate.route, slate.reason) == (Route.COLD_START, Reason.NEW_SHOPPER)
    assert "popularity" in slate.scores.part_names


async def test_nothing_to_rank_is_an_empty_slate_and_no_call(world: World) -> None:
    slate = await world.rank(query="milk")
    assert slate.order.tolist() == []
    assert world.scorer.jobs == []


async def test_an_error_of_our_own_is_not_hidden(world: World) -> None:
    world.scorer.error = KeyError("a bug")
    with pytest.raises(KeyError):
        await world.rank(*ITEMS, user_id="u")


async def test_a_slate_tells_what_each_floor_did_and_without_one_nothing(world: World) -> None:
    assert (await world.rank(*ITEMS, user_id="u")).floors == ()
    world.rules = {"floors": [{"name": "dairy", "category": "Grocery > Dairy", "share": 0.1}]}
    (held,) = (await world.rank(*ITEMS, user_id="u")).floors
    assert held.name == "dairy"
    assert held.target == pytest.approx(0.1 * held.whole)
    assert held.shown > 0
