"""Requests that wait while a call is under way share the next one."""

import asyncio
import time

import numpy as np
import pytest
from opentelemetry import trace

from serving.errors import BadModelOutputError, ModelTimeoutError, ModelUnavailableError
from serving.models.batcher import RankerJob, RankerReply
from serving.models.contract import PART_NAMES
from serving.models.packing import pack
from serving.models.settings import RankerSettings
from serving.ranking.scoring.gathered import GatheredRanker
from serving.types import Scores
from tests.support.fakes import FakeModel, score_rows
from tests.unit.models.test_batcher import job, ranker, until


class Calls:
    """A ranker behind a hop: holds its calls until the gate opens."""

    def __init__(self, error: BaseException | None = None, **settings: float) -> None:
        self.gate = asyncio.Event()
        self.jobs: list[RankerJob] = []
        self.spans: list[trace.SpanContext] = []
        self.ended = 0  # calls that were given up
        self.error = error
        given = {"concurrent_calls": 1, "call_patience_s": 60.0, **settings}
        self.gathered = GatheredRanker(self, RankerSettings.model_validate(given))
        self.tasks: list[asyncio.Task[RankerReply]] = []

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        self.jobs.append(job)
        self.spans.append(trace.get_current_span().get_span_context())
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.ended += 1
            raise
        if self.error is not None:
            raise self.error
        values = score_rows(job.tensors)
        parts = np.repeat(values[:, None], len(PART_NAMES), axis=1)
        return RankerReply(
            Scores(values, parts, PART_NAMES, "7"), 0.5, 0.002, job.rows, job.requests
        )

    async def ask(self, *jobs: RankerJob, budget_s: float = 5.0) -> None:
        """One after the other: a call that can begin has begun before the next comes."""
        for one in jobs:
            self.tasks.append(asyncio.create_task(self.gathered.score(one, budget_s)))
            for _ in range(5):
                await asyncio.sleep(0)

    async def answers(self) -> list[RankerReply | BaseException]:
        self.gate.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def sizes(self) -> list[list[int]]:
        """Of each call, the candidates of each of its requests."""
        return [one.tensors["ROW_COUNTS"].tolist() for one in self.jobs]


def replies(answers: list[RankerReply | BaseException]) -> list[RankerReply]:
    assert all(isinstance(answer, RankerReply) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, RankerReply)]


async def test_a_first_request_is_called_with_at_once_and_others_share_the_next_call() -> None:
    calls = Calls()
    await calls.ask(job(1), job(2), job(3))
    await calls.answers()
    assert calls.sizes == [[1], [2, 3]]


async def test_each_request_gets_the_scores_of_its_own_candidates() -> None:
    calls = Calls()
    jobs = [job(n, seed=n) for n in (1, 4, 2, 3)]
    await calls.ask(*jobs)
    for one, reply in zip(jobs, replies(await calls.answers()), strict=True):
        np.testing.assert_allclose(reply.scores.values, score_rows(one.tensors), rtol=1e-6)
        assert reply.scores.parts.shape == (one.rows, len(PART_NAMES))
    assert calls.sizes == [[1], [4, 2, 3]]


async def test_the_wait_for_a_call_counts_as_a_wait_for_the_batch() -> None:
    calls = Calls()
    await calls.ask(job(1), job(2))
    await asyncio.sleep(0.05)
    first, second = replies(await calls.answers())
    assert 0.5 <= first.wait_s < second.wait_s
    assert second.wait_s >= 0.55


async def test_several_calls_may_be_under_way() -> None:
    calls = Calls(concurrent_calls=2)
    await calls.ask(job(1), job(2), job(3), job(4))
    await until(lambda: len(calls.jobs) == 2)
    await calls.answers()
    assert calls.sizes == [[1], [2], [3, 4]]


async def test_a_call_keeps_to_the_rows_and_requests_of_a_batch() -> None:
    calls = Calls(max_batch_rows=5)
    await calls.ask(job(1), job(3), job(2), job(4), job(9), job(1))
    await calls.answers()
    assert calls.sizes == [[1], [3, 2], [4], [9], [1]]
    calls = Calls(max_batch_requests=2)
    await calls.ask(job(1), job(1), job(1), job(1))
    await calls.answers()
    assert calls.sizes == [[1], [1, 1], [1]]


async def test_a_call_is_of_one_version_and_waits_for_no_other() -> None:
    calls = Calls()
    other = [RankerJob(job(n).tensors, None, "8") for n in (2, 4)]
    await calls.ask(job(1), other[0], job(3), other[1])
    await until(lambda: len(calls.jobs) == 2)
    await calls.answers()
    asked = zip(calls.sizes, (one.model_version for one in calls.jobs), strict=True)
    assert list(asked) == [([1], None), ([2], "8"), ([3], None), ([4], "8")]


async def test_an_early_caller_gives_up_alone() -> None:
    calls = Calls()
    await calls.ask(job(1), job(2))
    early = asyncio.create_task(calls.gathered.score(job(3), 0.01))
    with pytest.raises(ModelTimeoutError):
        await early
    assert len(replies(await calls.answers())) == 2
    assert calls.sizes == [[1], [2]]


async def test_a_call_ends_when_all_its_callers_have_gone_and_the_next_begins() -> None:
    calls = Calls()
    await calls.ask(job(1), job(2), job(3))
    calls.tasks[0].cancel()
    await until(lambda: len(calls.jobs) == 2)
    assert calls.ended == 1
    calls.tasks[1].cancel()
    await asyncio.sleep(0.01)
    assert calls.ended == 1  # somebody still waits for the second
    answers = await calls.answers()
    assert isinstance(answers[2], RankerReply)


async def test_an_error_of_a_call_is_everyones_and_the_next_call_is_made() -> None:
    calls = Calls(error=BadModelOutputError("scores that are not finite"))
    await calls.ask(job(1), job(2), job(3))
    answers = await calls.answers()
    assert [type(answer) for answer in answers] == [BadModelOutputError] * 3
    calls.error = None
    reply = await calls.gathered.score(job(1), 1.0)
    assert reply.scores.model_version == "7"


async def test_each_caller_raises_an_error_of_its_own() -> None:
    calls = Calls(error=BadModelOutputError("scores that are not finite"))
    await calls.ask(job(1), job(2), job(3))
    _, second, third = await calls.answers()
    assert str(second) == str(third) == "scores that are not finite"
    assert second is not third


async def test_a_call_that_was_dropped_on_its_way_is_a_model_that_is_not_there() -> None:
    calls = Calls()
    await calls.ask(job(1), job(2))
    calls.error = asyncio.CancelledError()  # as Serve gives for a call that it has taken back
    answers = await calls.answers()
    assert [type(answer) for answer in answers] == [ModelUnavailableError] * 2


async def test_a_request_that_cannot_be_packed_fails_its_own_call_alone() -> None:
    calls = Calls()
    broken = RankerJob({**job(2).tensors, "ITEM_TOKENS": np.zeros(2, np.int16)})
    await calls.ask(job(1), broken, job(3))
    first, *others = await calls.answers()
    assert isinstance(first, RankerReply)
    assert all(isinstance(other, IndexError) for other in others), others
    assert (await calls.gathered.score(job(1), 1.0)).scores.model_version == "7"


async def test_a_call_that_hangs_holds_up_nobody() -> None:
    class Hanging(Calls):
        async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
            if self.jobs:
                self.gate.set()  # the second is answered, and the first then, too
            return await super().score(job, budget_s)

    calls = Hanging(call_patience_s=0.02)
    await calls.ask(job(1), job(2))
    assert calls.sizes == [[1]]
    async with asyncio.timeout(5):
        await asyncio.gather(*calls.tasks)
    assert calls.sizes == [[1], [2]]


async def test_a_call_has_until_the_latest_deadline_of_its_requests() -> None:
    budgets_s: list[float] = []

    class Noted(Calls):
        async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
            budgets_s.append(budget_s)
            return await super().score(job, budget_s)

    calls = Noted()
    await calls.ask(job(1))
    for budget_s in (2.0, 9.0, 4.0):
        await calls.ask(job(1), budget_s=budget_s)
    begun_s = time.monotonic()
    await calls.answers()
    assert 9.0 - (time.monotonic() - begun_s) - 1.0 < budgets_s[1] <= 9.0


async def test_a_sampled_request_has_a_call_of_its_own_in_its_own_trace() -> None:
    calls = Calls()
    sampled = RankerJob(job(3).tensors, f"00-{'a' * 32}-{'b' * 16}-01")
    span = trace.NonRecordingSpan(trace.SpanContext(7, 7, is_remote=False))
    with trace.use_span(span):
        await calls.ask(job(1), sampled)
    await until(lambda: len(calls.jobs) == 2)
    await calls.answers()
    assert calls.sizes == [[1], [3]]
    assert [context.trace_id == 7 for context in calls.spans] == [False, True]
    assert not calls.spans[0].trace_flags.sampled


async def test_what_shares_a_call_is_made_one_batch_once() -> None:
    model = FakeModel()
    packed = RankerJob(pack([job(3, 1, n_user=2).tensors, job(5, 2, n_bought=1).tensors]))
    reply = await ranker(model).score(packed, 5.0)
    assert reply.batch_requests == 2
    assert len(reply.scores.values) == 8
    assert model.batches[0] is packed.tensors
