"""Several versions at once: no batch mixes them, and one that is not loaded says so."""

import asyncio
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import pytest

from features.behavior.matrix import FEATURE_NAMES
from serving.errors import ModelNotLoadedError, ModelTimeoutError, ModelUnavailableError
from serving.models.batcher import Ranker, RankerJob
from serving.models.breaker import Breaker, CandidateBreakers, GuardedRanker
from serving.models.contract import Tensors, candidate_model, request_tensors
from serving.models.settings import BreakerSettings, RankerSettings
from serving.models.triton import RankerScores
from serving.models.versions import ASKED_AGAIN_S, VersionedRanker
from tests.support.fakes import FakeModel, FakeRanker


def job(version: str | None, rows: int = 3) -> RankerJob:
    none = np.zeros(0, np.int64)
    tensors = request_tensors(
        lambda asked: (asked, np.ones((len(asked), 4), np.int16)),
        np.zeros((1, 4), np.int16), none, none, none, np.zeros((0, 3), np.float32),
        np.arange(rows), np.zeros((rows, len(FEATURE_NAMES)), np.float32),
    )  # fmt: skip
    return RankerJob(tensors, model_version=version)


class Versioned(FakeModel):
    """A model server's model of one version."""

    def __init__(self, version: str, error: Exception | None = None) -> None:
        super().__init__(error)
        self.version = version

    async def score(
        self, batch: Tensors, budget_s: float, traceparent: str | None = None
    ) -> RankerScores:
        scores = await super().score(batch, budget_s, traceparent)
        return replace(scores, version=self.version)


@dataclass
class World:
    """The version in use, 7, with candidates; real queues and batches before each."""

    models: dict[str, Versioned] = field(
        default_factory=lambda: {version: Versioned(version) for version in ("7", "8", "9")}
    )
    now_s: float = 100.0

    def __post_init__(self) -> None:
        self.ranker = VersionedRanker(
            self._queue("7"), lambda version: self._queue(version), lambda: self.now_s
        )

    def _queue(self, version: str) -> Ranker:
        model = self.models.setdefault(version, Versioned(version, ModelNotLoadedError("gone")))
        return Ranker(model, RankerSettings(concurrent_batches=1))

    async def version_of(self, version: str | None) -> str | None:
        return (await self.ranker.score(job(version), 1.0)).scores.model_version


async def test_each_request_is_answered_by_the_version_it_asks_for_and_no_batch_mixes_them() -> (
    None
):
    world = World()
    asked = [None, "8", "9", "8", None, "9", "8"]
    answered = await asyncio.gather(*(world.version_of(version) for version in asked))
    assert answered == [version or "7" for version in asked]
    rows = {
        version: sum(int(batch["ROW_COUNTS"].sum()) for batch in model.batches)
        for version, model in world.models.items()
    }
    assert rows == {"7": 6, "8": 9, "9": 6}


async def test_a_version_that_is_not_loaded_is_answered_by_the_one_in_use_which_says_so() -> None:
    world = World()
    assert await world.version_of("10") == "7"
    assert len(world.models["10"].batches) == 1
    assert await world.version_of("10") == "7"
    assert len(world.models["10"].batches) == 1, "it was asked again at once"
    world.models["10"].error = None
    world.now_s += ASKED_AGAIN_S
    assert await world.version_of("10") == "10"


@pytest.mark.parametrize("error", [ModelUnavailableError("down"), ModelTimeoutError("late")])
async def test_a_candidate_that_fails_is_its_own_failure(error: Exception) -> None:
    world = World()
    world.models["8"].error = error
    with pytest.raises(type(error)):
        await world.version_of("8")
    assert await world.version_of(None) == "7"


async def test_a_candidate_that_hangs_opens_its_own_breaker_alone() -> None:
    settings = BreakerSettings(failures=1, failing_s=1e-9, probe_interval_s=60)
    now_s = [0.0]

    def clock() -> float:
        now_s[0] += 1.0
        return now_s[0]

    ranker = FakeRanker(error=ModelUnavailableError("down"))
    candidate = Breaker(candidate_model("ranker", "8"), settings, clock)
    others = Breaker(candidate_model("ranker", "candidate"), settings, clock)
    guarded = GuardedRanker(
        ranker,
        Breaker("ranker", settings, clock),
        CandidateBreakers(lambda: ["8"], {"8": candidate}.__getitem__, others),
    )
    for _ in range(2):
        with pytest.raises(ModelUnavailableError):
            await guarded.score(job("8"), 1.0)
    assert candidate.open
    ranker.error = None
    assert (await guarded.score(job(None), 1.0)).scores.model_version == "7"


async def test_a_candidate_that_nobody_has_named_is_guarded_apart_from_all_others() -> None:
    settings = BreakerSettings(failures=1, failing_s=1e-9, probe_interval_s=60)
    ticks = count(1)
    in_use, named, newest = (
        Breaker(name, settings, lambda: float(next(ticks)))
        for name in ("ranker", "ranker-8", "new")
    )
    ranker = FakeRanker(error=ModelUnavailableError("down"))
    breakers = CandidateBreakers(lambda: ["8"], {"8": named}.__getitem__, newest)
    guarded = GuardedRanker(ranker, in_use, breakers)
    for _ in range(2):
        with pytest.raises(ModelUnavailableError):
            await guarded.score(job("9"), 1.0)
    assert (in_use.open, named.open, newest.open) == (False, False, True)


async def test_a_version_that_experiments_come_to_name_has_a_breaker_of_its_own_from_then_on() -> (
    None
):
    settings = BreakerSettings(failures=1, failing_s=1e-9, probe_interval_s=60)
    ticks, named = count(1), ["8"]

    def breaker(version: str) -> Breaker:
        name = candidate_model("ranker", version)
        return Breaker(name, settings, lambda: float(next(ticks)))

    others = breaker("candidate")
    breakers = CandidateBreakers(lambda: named, breaker, others)
    assert breakers.of("9") is others
    named.append("9")
    own = breakers.of("9")
    assert own not in (others, breakers.of("8"))
    assert breakers.of("9") is own
