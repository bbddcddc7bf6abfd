"""A model that hangs costs a few callers their wait, then nobody, and it is found again."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from serving.errors import (
    BadModelOutputError,
    ModelOverloadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RankingError,
)
from serving.models.breaker import Breaker
from serving.models.settings import BreakerSettings
from serving.ranking.settings import PipelineSettings
from serving.telemetry.metrics import BREAKER_OPEN, BREAKER_OPENED

SETTINGS = BreakerSettings(failures=3, failing_s=0.15, fair_budget_s=0.1, probe_interval_s=0.5)


@dataclass
class Model:
    """Answers, fails with `error`, or hangs until `gate`; remembers what it was asked with."""

    error: RankingError | None = None
    gate: asyncio.Event | None = None
    budgets_s: list[float] = field(default_factory=list)

    async def ask(self, budget_s: float) -> str:
        self.budgets_s.append(budget_s)
        if self.gate is not None:
            try:
                async with asyncio.timeout(budget_s):
                    await self.gate.wait()
            except TimeoutError:
                raise ModelTimeoutError("late") from None
        if self.error is not None:
            raise self.error
        return "answer"


class World:
    """A breaker, its model and its clock."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.model = Model()
        self.breaker = Breaker("test", SETTINGS, lambda: self.now_s)

    async def call(self, budget_s: float = 0.15) -> str:
        return await self.breaker.call(self.model.ask, budget_s)

    async def fail(self, times: int, error: RankingError, budget_s: float = 0.15) -> None:
        """One call after the other, each in its own tenth of a second."""
        self.model.error = error
        for _ in range(times):
            self.now_s += 0.1
            with pytest.raises(type(error)):
                await self.call(budget_s)

    async def open(self) -> None:
        await self.fail(3, ModelUnavailableError("gone"))
        assert self.breaker.open
        self.model.budgets_s.clear()


@pytest.fixture
def world() -> World:
    return World()


async def probe_ended() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("error", [ModelUnavailableError("gone"), ModelTimeoutError("late")])
async def test_after_three_failures_in_a_row_the_model_is_not_asked(
    world: World, error: RankingError
) -> None:
    await world.fail(2, error)
    assert not world.breaker.open
    await world.fail(1, error)
    with pytest.raises(ModelUnavailableError):
        await world.call()
    assert len(world.model.budgets_s) == 3


async def test_one_slow_batch_is_no_hang_however_many_requests_it_held(world: World) -> None:
    world.model.error = ModelTimeoutError("late")
    for _ in range(20):  # all at the same time
        with pytest.raises(ModelTimeoutError):
            await world.call()
    assert not world.breaker.open
    await world.fail(2, ModelTimeoutError("late"))
    assert world.breaker.open


async def test_an_answer_between_failures_forgives_them(world: World) -> None:
    for _ in range(3):
        await world.fail(2, ModelTimeoutError("late"))
        world.model.error = None
        assert await world.call() == "answer"
    assert not world.breaker.open


async def test_a_caller_who_gave_no_time_says_nothing_of_the_model(world: World) -> None:
    await world.fail(20, ModelTimeoutError("late"), budget_s=0.001)
    assert not world.breaker.open
    await world.fail(3, ModelTimeoutError("late"), budget_s=0.1)
    assert world.breaker.open


@pytest.mark.parametrize("error", [ModelOverloadedError("full"), BadModelOutputError("nan")])
async def test_a_full_queue_and_a_wrong_answer_are_no_hang(
    world: World, error: RankingError
) -> None:
    await world.fail(20, error)
    assert not world.breaker.open


async def test_a_full_queue_forgives_nothing(world: World) -> None:
    await world.fail(2, ModelTimeoutError("late"))
    await world.fail(1, ModelOverloadedError("full"))
    await world.fail(1, ModelTimeoutError("late"))
    assert world.breaker.open


async def test_one_probe_at_a_time_and_no_caller_waits_for_it(world: World) -> None:
    await world.open()
    world.model.error, world.model.gate = None, asyncio.Event()
    world.now_s += 0.5
    started_s = time.monotonic()
    for _ in range(10):
        with pytest.raises(ModelUnavailableError):
            await world.call()
        await asyncio.sleep(0)
    assert time.monotonic() - started_s < 0.1
    assert len(world.model.budgets_s) == 1
    world.model.gate.set()
    await probe_ended()
    assert await world.call() == "answer"


async def test_a_probe_that_fails_keeps_it_open_until_the_next_is_due(world: World) -> None:
    await world.open()
    for _ in range(3):
        world.now_s += 0.5
        with pytest.raises(ModelUnavailableError):
            await world.call()
        await probe_ended()
        world.now_s += 0.4
        with pytest.raises(ModelUnavailableError):
            await world.call()
        await probe_ended()
    assert len(world.model.budgets_s) == 3


async def test_a_probe_is_given_a_fair_budget_whatever_its_caller_gave(world: World) -> None:
    await world.open()
    world.now_s += 0.5
    with pytest.raises(ModelUnavailableError):
        await world.call(budget_s=0.001)
    await probe_ended()
    assert world.model.budgets_s == [0.1]


async def test_a_late_answer_to_an_earlier_call_closes_it(world: World) -> None:
    world.model.gate = asyncio.Event()
    early = asyncio.create_task(world.call(5.0))
    await asyncio.sleep(0)
    gate, world.model.gate = world.model.gate, None
    await world.open()
    world.model.error = None
    gate.set()
    assert await early == "answer"
    assert await world.call() == "answer"


async def test_a_caller_who_leaves_says_nothing_of_the_model(world: World) -> None:
    world.model.gate = asyncio.Event()
    for _ in range(5):
        leaving = asyncio.create_task(world.call(5.0))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    assert not world.breaker.open


async def test_metrics_tell_that_it_opened_and_closed(world: World) -> None:
    gauge, counter = BREAKER_OPEN.labels(model="test"), BREAKER_OPENED.labels(model="test")
    before = counter._value.get()
    await world.open()
    assert (gauge._value.get(), counter._value.get() - before) == (1, 1)
    world.model.error = None
    world.now_s += 0.5
    with pytest.raises(ModelUnavailableError):
        await world.call()
    await probe_ended()
    assert gauge._value.get() == 0


def test_the_model_may_take_a_part_of_what_a_patient_caller_gives_and_all_of_little() -> None:
    limits = PipelineSettings(default_budget_s=0.5, model_budget_s=0.15)
    shares_s = [limits.model_share_s(left_s) for left_s in (0.05, 0.15, 0.48, 0.5, 5.0)]
    assert shares_s == pytest.approx([0.05, 0.15, 0.15, 0.15, 1.5])
