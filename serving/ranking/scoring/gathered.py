"""Requests that wait for the Ranker while a call to it is under way share the next call.

A call across Serve costs the same processor time whatever it carries. There is no wait to tune, as
in the Ranker itself, which merges the calls of all ingress replicas (docs/adr/0041).
"""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace

from opentelemetry import context as spans
from opentelemetry import trace

from serving.errors import ModelTimeoutError, ModelUnavailableError
from serving.models.batcher import RankerClient, RankerJob, RankerReply, Waiting, take
from serving.models.packing import pack
from serving.models.settings import RankerSettings


@dataclass(slots=True)
class _Waiting(Waiting):
    """One request; `call` and `mates` are of the call that carries it."""

    call: asyncio.Task[None] | None = None
    mates: Sequence["_Waiting"] = ()


@dataclass(slots=True)
class _Queue:
    """What waits for one version, and how many calls to it are under way."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    calls: int = 0


class GatheredRanker:
    """A `RankerClient` before another. Of one event loop.

    A request whose trace is sampled has a call of its own, so that its trace is one tree.
    """

    def __init__(self, ranker: RankerClient, settings: RankerSettings) -> None:
        self._ranker = ranker
        self._settings = settings
        self._queues: dict[str | None, _Queue] = {}  # versions are declared, so they are few
        self._context = _context_of_nobody()

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """Scores within the budget, or a RankingError."""
        if job.traceparent is not None:
            return await self._ranker.score(job, budget_s)
        loop, now_s = asyncio.get_running_loop(), time.monotonic()
        queue = self._queues.setdefault(job.model_version, _Queue())
        waiting = _Waiting(job, loop.create_future(), now_s, now_s + budget_s)
        queue.waiting.append(waiting)
        if queue.calls < self._settings.concurrent_calls:
            queue.calls += 1
            loop.create_task(self._run(queue), context=self._context)
        try:
            async with asyncio.timeout(budget_s):
                return await waiting.reply
        except TimeoutError:
            raise ModelTimeoutError(f"not within {budget_s:.3f} s") from None
        finally:
            if waiting.call and all(mate.reply.done() for mate in waiting.mates):
                waiting.call.cancel()  # nobody waits for it any more

    async def _run(self, queue: _Queue) -> None:
        """Call after call, until nothing waits."""
        try:
            while queue.waiting:
                if taken := take(queue.waiting, self._settings):
                    call = asyncio.create_task(self._call(taken))
                    for one in taken:
                        one.call, one.mates = call, taken
                    # One that hangs is left to itself: another replica may answer the next.
                    await asyncio.wait((call,), timeout=self._settings.call_patience_s)
        finally:
            queue.calls -= 1

    async def _call(self, taken: list[_Waiting]) -> None:
        """One call, and each request's reply or error."""
        started_s = time.monotonic()
        # The latest deadline: an early caller gives up alone and does not spoil the others.
        budget_s = max(one.deadline_s for one in taken) - started_s
        try:
            reply = await self._ranker.score(_together(taken), budget_s)
            for one, own in zip(taken, _apart(taken, reply, started_s), strict=True):
                if not one.reply.done():
                    one.reply.set_result(own)
        except asyncio.CancelledError:
            # Either all have gone, or Serve dropped the call.
            _fail(taken, ModelUnavailableError("the call was cancelled"))
        except Exception as error:
            _fail(taken, error)


def _fail(taken: Sequence[_Waiting], error: Exception) -> None:
    for one in taken:
        if not one.reply.done():
            one.reply.set_exception(copy(error))  # its own: each raises it, with its own traceback


def _together(taken: Sequence[_Waiting]) -> RankerJob:
    first = taken[0].job
    if len(taken) == 1:
        return first
    return RankerJob(pack([one.job.tensors for one in taken]), None, first.model_version)


def _apart(taken: Sequence[_Waiting], reply: RankerReply, started_s: float) -> list[RankerReply]:
    """Each request's share of the reply."""
    shares = reply.scores.split([one.job.rows for one in taken])
    return [
        replace(reply, scores=own, wait_s=reply.wait_s + started_s - one.arrived_s)
        for one, own in zip(taken, shares, strict=True)
    ]


def _context_of_nobody() -> contextvars.Context:
    """In which a call belongs to no request: Serve would end it with its request, and trace it."""
    context = contextvars.Context()
    unsampled = trace.NonRecordingSpan(
        trace.SpanContext(1, 1, is_remote=False, trace_flags=trace.TraceFlags(0))
    )
    context.run(spans.attach, trace.set_span_in_context(unsampled, spans.Context()))
    return context
