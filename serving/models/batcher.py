"""Batching across requests in front of the model server.

A batch is formed only when the permit to run it is there: what waits behind a busy model is merged,
and an idle model starts at once, so there is no wait to tune (docs/adr/0004). Batches are counted
in candidate rows; their body is the pair of pure functions `packing.pack` and `unpack`.
"""

import asyncio
import contextvars
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from opentelemetry import trace
from opentelemetry.context import Context, get_current

from serving.errors import (
    BadModelOutputError,
    ModelOverloadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RankingError,
)
from serving.models.contract import PART_NAMES, Tensors
from serving.models.packing import pack
from serving.models.settings import RankerSettings
from serving.models.triton import RankerScores
from serving.telemetry.metrics import (
    BATCH_FILL_RATIO,
    BATCH_REQUESTS,
    BATCH_ROWS,
    BATCHES,
    MODEL_SECONDS,
    QUEUED_ROWS,
)
from serving.telemetry.stages import BatchSpans, Waited, context_of
from serving.types import Dispatch, Scores

_W = TypeVar("_W", bound="Waiting")


class Model(Protocol):
    """Scores a batch. `triton.TritonRanker` is one."""

    async def score(
        self, batch: Tensors, budget_s: float, traceparent: str | None = None
    ) -> RankerScores:
        """Scores of all rows, or a RankingError."""
        ...


@dataclass(frozen=True, slots=True)
class RankerJob:
    """Tensors by name, of one request (contract.request_tensors) or of several, packed.

    model_version: that is asked; None: the one in use. A batch is of one version (versions.py).
    """

    tensors: Tensors
    traceparent: str | None = None
    model_version: str | None = None

    @property
    def rows(self) -> int:
        """How many candidates."""
        return len(self.tensors["ITEM_KEYS"])

    @property
    def requests(self) -> int:
        """How many requests it is of."""
        return len(self.tensors["ROW_COUNTS"])


@dataclass(frozen=True, slots=True)
class RankerReply:
    """Scores, and what the batch looked like to this request."""

    scores: Scores
    wait_s: float  # from arrival to the start of its batch
    model_s: float  # the call to the model server
    batch_rows: int
    batch_requests: int


class RankerClient(Protocol):
    """The ranker, here or behind a handle or a breaker."""

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """Scores within the budget, or a RankingError."""
        ...


@dataclass(slots=True)
class Waiting:
    """A job that waits for its batch; times are monotonic."""

    job: RankerJob
    reply: asyncio.Future[RankerReply]
    arrived_s: float
    deadline_s: float
    waited: Waited | None = None  # None: its trace is not sampled


def take(queue: deque[_W], most: RankerSettings) -> list[_W]:
    """The next batch off `queue`, oldest first; skips those whose caller has gone."""
    batch: list[_W] = []
    left_rows, left_requests, now_s = most.max_batch_rows, most.max_batch_requests, time.monotonic()
    while queue:
        job = queue[0].job
        if batch and (job.rows > left_rows or job.requests > left_requests):
            break
        waiting = queue.popleft()
        if not waiting.reply.done() and waiting.deadline_s > now_s:
            batch.append(waiting)
            left_rows, left_requests = left_rows - job.rows, left_requests - job.requests
    return batch


class Ranker:
    """Scores requests, many in one call. Runs on one event loop."""

    def __init__(self, model: Model, settings: RankerSettings) -> None:
        self._model = model
        self._settings = settings
        self._queue: deque[Waiting] = deque()
        self._queued_rows = 0
        self._work = asyncio.Event()
        self._runners: list[asyncio.Task[None]] = []

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """Scores within `budget_s`; raises a RankingError."""
        if not self._runners:
            nobody, n = contextvars.Context(), self._settings.concurrent_batches
            # They outlive the request that comes first.
            self._runners = [asyncio.create_task(self._run(), context=nobody) for _ in range(n)]
        rows = job.rows
        if self._queue and self._queued_rows + rows > self._settings.max_queued_rows:
            raise ModelOverloadedError(f"{self._queued_rows} rows wait already")
        now_s = time.monotonic()
        parent = _sampled_parent(job)
        waiting = Waiting(
            job,
            asyncio.get_running_loop().create_future(),
            now_s,
            now_s + budget_s,
            None if parent is None else Waited(parent, time.time_ns()),
        )
        self._queue.append(waiting)
        self._queued_rows += rows
        QUEUED_ROWS.set(self._queued_rows)
        self._work.set()
        try:
            return await asyncio.wait_for(waiting.reply, budget_s)
        except TimeoutError:
            raise ModelTimeoutError(f"not within {budget_s:.3f} s") from None

    async def _run(self) -> None:
        """One permit: take what waits, run it, again."""
        while True:
            idle = not self._work.is_set()
            await self._work.wait()
            batch, dispatch = self._take()
            if batch:
                await self._score(batch, Dispatch.IDLE if idle and len(batch) == 1 else dispatch)

    def _take(self) -> tuple[list[Waiting], Dispatch]:
        """The next batch, and why it is closed."""
        batch = take(self._queue, self._settings)
        self._queued_rows = sum(each.job.rows for each in self._queue)
        QUEUED_ROWS.set(self._queued_rows)
        if self._queue:
            return batch, Dispatch.FULL
        self._work.clear()
        return batch, Dispatch.WAITED

    async def _score(self, batch: list[Waiting], dispatch: Dispatch) -> None:
        started_s = time.monotonic()
        jobs = [waiting.job for waiting in batch]
        batch_rows, n_requests = sum(job.rows for job in jobs), sum(job.requests for job in jobs)
        BATCHES.labels(dispatch=dispatch).inc()
        BATCH_ROWS.observe(batch_rows)
        BATCH_REQUESTS.observe(n_requests)
        BATCH_FILL_RATIO.observe(batch_rows / self._settings.max_batch_rows)
        attributes: dict[str, str | int] = {
            "batch.rows": batch_rows, "batch.requests": n_requests, "batch.dispatch": dispatch,
        }  # fmt: skip
        spans = BatchSpans(
            [waiting.waited for waiting in batch if waiting.waited is not None], attributes
        )
        outcome = "ok"
        try:
            # The latest deadline: an early caller gives up alone and does not spoil the others.
            budget_s = max(waiting.deadline_s for waiting in batch) - started_s
            packed = jobs[0].tensors if len(jobs) == 1 and n_requests > 1 else None
            output = await self._model.score(
                packed or pack([job.tensors for job in jobs]), budget_s, spans.traceparent
            )
            spans.worked(output.worked_ns)
            replies = unpack(jobs, output)
        except asyncio.CancelledError as error:
            outcome = "cancelled"
            # Either this permit is taken back, or the transport dropped its call: then go on.
            _fail(batch, ModelUnavailableError("the call was cancelled"))
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise error
            return
        except Exception as error:
            outcome = error.code if isinstance(error, RankingError) else "internal"
            _fail(batch, error)
            return
        finally:
            spans.end(outcome)
            MODEL_SECONDS.labels(outcome=outcome).observe(time.monotonic() - started_s)
        model_s = time.monotonic() - started_s
        for waiting, scores in zip(batch, replies, strict=True):
            if not waiting.reply.done():
                own_s = started_s - waiting.arrived_s
                reply = RankerReply(scores, own_s, model_s, batch_rows, n_requests)
                waiting.reply.set_result(reply)


def _sampled_parent(job: RankerJob) -> Context | None:
    """The span that asked: Serve's own of this call, or the caller's; None when not sampled."""
    here = get_current()
    span = trace.get_current_span(here).get_span_context()
    if span.is_valid:
        return here if span.trace_flags.sampled else None
    return context_of(job.traceparent)


def _fail(batch: list[Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.reply.done():
            waiting.reply.set_exception(error)


def unpack(jobs: list[RankerJob], output: RankerScores) -> list[Scores]:
    """Each job's scores; raises BadModelOutputError when number or values cannot be right."""
    counts = [job.rows for job in jobs]
    n_rows = sum(counts)
    if output.scores.shape != (n_rows,) or output.parts.shape != (n_rows, len(PART_NAMES)):
        shapes = f"{output.scores.shape} and {output.parts.shape}"
        raise BadModelOutputError(f"scores and parts of {shapes} for {n_rows} rows")
    if not np.isfinite(output.scores).all():
        raise BadModelOutputError("scores that are not finite")
    told = output.contributions
    return Scores(output.scores, output.parts, PART_NAMES, output.version, told).split(counts)
