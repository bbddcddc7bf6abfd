"""Batching across requests: the permit first, one call, everybody gets what is theirs."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.behavior.matrix import FEATURE_NAMES
from serving.errors import (
    BadModelOutputError,
    ModelOverloadedError,
    ModelTimeoutError,
    ModelUnavailableError,
)
from serving.models.batcher import Ranker, RankerJob, RankerReply, unpack
from serving.models.contract import PART_NAMES, Tensors, request_tensors
from serving.models.packing import checked, pack
from serving.models.settings import RankerSettings
from serving.models.triton import RankerScores
from tests.support.fakes import FakeModel, score_rows


def job(
    n: int, seed: int = 0, n_user: int = 0, n_session: int = 0, width: int = 4, n_bought: int = 0
) -> RankerJob:
    rng = np.random.default_rng(seed)

    def tokens(rows: int) -> np.ndarray[Any, np.dtype[np.int16]]:
        return rng.integers(1, 1000, (rows, width), np.int16)

    rows = np.arange(n + n_user + n_session + n_bought)
    keys = rng.integers(0, 2**62, len(rows))
    texts = tokens(len(rows))
    ends = np.cumsum([n, n_user, n_session])
    candidates, user, session, bought = np.split(rows, ends)
    features = rng.normal(size=(n, len(FEATURE_NAMES))).astype(np.float32)
    features[rng.random(features.shape) < 0.3] = np.nan
    return RankerJob(
        request_tensors(
            lambda asked: (keys[asked], texts[asked]),
            tokens(1),
            user,
            session,
            bought,
            rng.normal(size=(n_bought, 3)).astype(np.float32),
            candidates,
            features,
        )
    )


def ranker(model: FakeModel, **given_: int) -> Ranker:
    return Ranker(model, RankerSettings.model_validate({"concurrent_batches": 1, **given_}))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - it is the ranker's own steps that are waited for
            await asyncio.sleep(0)


def rows_of(batch: Tensors) -> list[int]:
    counts: list[int] = batch["ROW_COUNTS"].tolist()
    return counts


class Busy:
    """A model that holds its first batch until it is told to go on."""

    def __init__(self, **settings_: int) -> None:
        self.gate = asyncio.Event()
        self.model = FakeModel(gate=self.gate)
        self.ranker = ranker(self.model, **settings_)
        self.tasks: list[asyncio.Task[RankerReply]] = []

    async def ask(self, *sizes: int, budget_s: float = 5.0) -> None:
        for n in sizes:
            self.tasks.append(asyncio.create_task(self.ranker.score(job(n, n), budget_s)))
            await until(lambda: bool(self.model.batches))
        await asyncio.sleep(0)

    async def answers(self) -> list[RankerReply]:
        self.gate.set()
        return await asyncio.gather(*self.tasks)


async def test_an_idle_model_starts_at_once_and_alone() -> None:
    model = FakeModel()
    reply = await ranker(model).score(job(3), 1.0)
    assert [rows_of(batch) for batch in model.batches] == [[3]]
    assert (reply.batch_rows, reply.batch_requests) == (3, 1)
    assert reply.wait_s < 0.1


async def test_what_waits_behind_a_busy_model_is_merged_into_one_call() -> None:
    busy = Busy()
    await busy.ask(1, 2, 3, 4)
    replies = await busy.answers()
    assert [rows_of(batch) for batch in busy.model.batches] == [[1], [2, 3, 4]]
    assert [reply.batch_requests for reply in replies] == [1, 3, 3, 3]
    assert [len(reply.scores.values) for reply in replies] == [1, 2, 3, 4]


async def test_a_batch_keeps_to_its_rows_and_requests() -> None:
    busy = Busy(max_batch_rows=5)
    await busy.ask(1, 3, 2, 4, 9, 1)
    await busy.answers()
    assert [rows_of(batch) for batch in busy.model.batches] == [[1], [3, 2], [4], [9], [1]]
    busy = Busy(max_batch_requests=2)
    await busy.ask(1, 1, 1, 1)
    await busy.answers()
    assert [rows_of(batch) for batch in busy.model.batches] == [[1], [1, 1], [1]]


async def test_one_batch_is_packed_while_another_runs() -> None:
    busy = Busy(concurrent_batches=2)
    await busy.ask(1, 2)
    await until(lambda: len(busy.model.batches) == 2)
    await busy.answers()
    assert [rows_of(batch) for batch in busy.model.batches] == [[1], [2]]


async def test_a_caller_that_has_left_is_not_scored() -> None:
    busy = Busy()
    await busy.ask(1, 2, 3)
    busy.tasks[1].cancel()
    await asyncio.sleep(0)
    gone = busy.tasks.pop(1)
    await busy.answers()
    assert gone.cancelled()
    assert [rows_of(batch) for batch in busy.model.batches] == [[1], [3]]


async def test_a_full_queue_refuses_at_once() -> None:
    busy = Busy(max_queued_rows=5)
    await busy.ask(9, 3)
    started_s = time.monotonic()
    with pytest.raises(ModelOverloadedError):
        await busy.ranker.score(job(3), 5.0)
    assert time.monotonic() - started_s < 1.0
    await busy.ask(2)
    assert [len(reply.scores.values) for reply in await busy.answers()] == [9, 3, 2]


async def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    assert len((await ranker(FakeModel(), max_queued_rows=5).score(job(9), 1.0)).scores.values) == 9


async def test_an_answer_that_is_late_is_a_timeout_and_the_next_is_not() -> None:
    busy = Busy()
    started_s = time.monotonic()
    with pytest.raises(ModelTimeoutError):
        await busy.ranker.score(job(2), 0.05)
    assert time.monotonic() - started_s < 1.0
    busy.gate.set()
    assert len((await busy.ranker.score(job(3), 1.0)).scores.values) == 3


async def test_a_batch_has_the_time_of_its_most_patient_caller() -> None:
    busy = Busy()
    await busy.ask(1)
    await busy.ask(2, budget_s=0.5)
    await busy.ask(3, budget_s=4.0)
    await busy.answers()
    assert 3.0 < busy.model.budgets_s[1] <= 4.0


def answer(values: list[float], n_parts: int = len(PART_NAMES)) -> RankerScores:
    scores = np.array(values, np.float32)
    return RankerScores(scores, np.zeros((len(scores), n_parts), np.float32), "7")


@pytest.mark.parametrize(
    "bad",
    [
        answer([1.0, np.nan]),
        answer([1.0, np.inf]),
        answer([1.0]),
        answer([1.0, 2.0, 3.0]),
        answer([1.0, 2.0], n_parts=1),
    ],
    ids=["nan", "infinite", "too few", "too many", "parts missing"],
)
async def test_scores_that_cannot_be_right_are_refused(bad: RankerScores) -> None:
    with pytest.raises(BadModelOutputError):
        await ranker(FakeModel(answer=bad)).score(job(2), 1.0)


async def test_a_failing_batch_fails_its_callers_and_nobody_else() -> None:
    busy = Busy()
    await busy.ask(1, 2, 3)
    busy.model.error = ModelUnavailableError("down")
    busy.gate.set()
    found = await asyncio.gather(*busy.tasks, return_exceptions=True)
    assert [type(each) for each in found] == [ModelUnavailableError] * 3
    busy.model.error = None
    assert len((await busy.ranker.score(job(4), 1.0)).scores.values) == 4


async def test_a_call_that_its_transport_cancels_does_not_cost_the_permit() -> None:
    model = FakeModel(error=asyncio.CancelledError())
    scorer = ranker(model)
    for _ in range(3):
        with pytest.raises(ModelUnavailableError):
            await scorer.score(job(1), 1.0)
    model.error = None
    assert len((await scorer.score(job(2), 1.0)).scores.values) == 2


async def test_a_ranking_does_not_depend_on_its_batch_mates() -> None:
    alone = (await ranker(FakeModel()).score(job(7, seed=7), 1.0)).scores
    busy = Busy()
    await busy.ask(1, 5, 7, 30)
    together = (await busy.answers())[2].scores
    np.testing.assert_array_equal(alone.values, together.values)
    np.testing.assert_array_equal(alone.parts, together.parts)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 6), *[st.integers(0, 3)] * 3, st.integers(1, 9)),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_packed_together_is_unpacked_apart(
    shapes: list[tuple[int, int, int, int, int]],
) -> None:
    jobs = [job(n, seed, u, s, width, b) for seed, (n, u, s, b, width) in enumerate(shapes)]
    batch = pack([each.tensors for each in jobs])
    checked(batch, len(FEATURE_NAMES))
    # The batch can be cut back into each request's own rows.
    start = dict.fromkeys(batch, 0)
    for each in jobs:
        for name, own in each.tensors.items():
            part = batch[name][start[name] : start[name] + len(own)]
            start[name] += len(own)
            if own.ndim == 1:
                np.testing.assert_array_equal(part, own)
            else:
                width = min(part.shape[1], own.shape[1])
                np.testing.assert_array_equal(part[:, :width], own[:, :width])
                assert not part[:, width:].any()
                assert not own[:, width:].any()
    assert {name: len(rows) for name, rows in batch.items()} == start
    output = score_rows(batch)
    parts = np.repeat(output[:, None], len(PART_NAMES), axis=1)
    for each, scores in zip(jobs, unpack(jobs, RankerScores(output, parts, "7")), strict=True):
        np.testing.assert_array_equal(scores.values, score_rows(pack([each.tensors])))
        assert scores.model_version == "7"
