"""Batching across requests in front of the model server.

A batch is formed only when the permit to run it is there: what waits behind a busy model is merged,
and an idle model starts at once, so there is no wait to tune (docs/adr/0004). Batches are counted
in candidate rows. The batch body is the pair of pure functions `pack` and `unpack`.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
from opentelemetry import trace
from opentelemetry.context import Context, get_current

from features.behavior.matrix import FEATURE_NAMES
from serving.errors import (
    BadModelOutputError,
    ModelOverloadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RankingError,
)
from serving.models.settings import RankerSettings
from serving.models.triton import RankerBatch, RankerScores
from serving.ranking.values import Scores, Texts
from serving.telemetry.metrics import (
    BATCH_FILL_RATIO,
    BATCH_REQUESTS,
    BATCH_ROWS,
    BATCHES,
    MODEL_SECONDS,
    QUEUED_ROWS,
)
from serving.telemetry.stages import BatchSpans, Waited, context_of
from serving.types import FloatArray

PART_NAMES = ("text", "query", "network", "forest")


class Model(Protocol):
    """Scores a batch. `serving.models.triton.TritonRanker` is one."""

    async def score(
        self, batch: RankerBatch, budget_s: float, traceparent: str | None = None
    ) -> RankerScores:
        """Scores of all rows, or a RankingError."""
        ...


@dataclass(frozen=True, slots=True)
class RankerJob:
    """One request's share of a batch. features: float32 (n, n_features)."""

    texts: Texts
    features: FloatArray
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class RankerReply:
    """Scores, and what the batch looked like to this request."""

    scores: Scores
    wait_s: float  # from arrival to the start of its batch
    model_s: float  # the call to the model server
    batch_rows: int
    batch_requests: int


class Dispatch(StrEnum):
    """Why a batch was closed: a metric label."""

    IDLE = "idle"  # the model had nothing to do, and nothing else waited
    WAITED = "waited"  # all that waited behind the last batch
    FULL = "full"  # more waits than fits


@dataclass(slots=True)
class _Waiting:
    job: RankerJob
    reply: asyncio.Future[RankerReply]
    arrived_s: float
    deadline_s: float  # monotonic
    waited: Waited | None  # None: its trace is not sampled


class Ranker:
    """Scores requests, many in one call. Runs on one event loop."""

    def __init__(self, model: Model, settings: RankerSettings) -> None:
        self._model = model
        self._settings = settings
        self._queue: deque[_Waiting] = deque()
        self._queued_rows = 0
        self._work = asyncio.Event()
        self._runners: list[asyncio.Task[None]] = []

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """Scores within `budget_s`; raises a RankingError."""
        if not self._runners:
            self._runners = [
                asyncio.create_task(self._run()) for _ in range(self._settings.concurrent_batches)
            ]
        rows = len(job.features)
        if self._queue and self._queued_rows + rows > self._settings.max_queued_rows:
            raise ModelOverloadedError(f"{self._queued_rows} rows wait already")
        now_s = time.monotonic()
        parent = _sampled_parent(job)
        waiting = _Waiting(
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

    def _take(self) -> tuple[list[_Waiting], Dispatch]:
        """The next batch, oldest first; skips those whose caller has gone."""
        batch: list[_Waiting] = []
        rows = 0
        now_s = time.monotonic()
        while self._queue and len(batch) < self._settings.max_batch_requests:
            n_rows = len(self._queue[0].job.features)
            if batch and rows + n_rows > self._settings.max_batch_rows:
                break
            waiting = self._queue.popleft()
            self._queued_rows -= n_rows
            if not waiting.reply.done() and waiting.deadline_s > now_s:
                batch.append(waiting)
                rows += n_rows
        QUEUED_ROWS.set(self._queued_rows)
        if self._queue:
            return batch, Dispatch.FULL
        self._work.clear()
        return batch, Dispatch.WAITED

    async def _score(self, batch: list[_Waiting], dispatch: Dispatch) -> None:
        started_s = time.monotonic()
        jobs = [waiting.job for waiting in batch]
        batch_rows = sum(len(job.features) for job in jobs)
        BATCHES.labels(dispatch=dispatch).inc()
        BATCH_ROWS.observe(batch_rows)
        BATCH_REQUESTS.observe(len(jobs))
        BATCH_FILL_RATIO.observe(batch_rows / self._settings.max_batch_rows)
        attributes: dict[str, str | int] = {
            "batch.rows": batch_rows, "batch.requests": len(jobs), "batch.dispatch": dispatch,
        }  # fmt: skip
        spans = BatchSpans([each.waited for each in batch if each.waited is not None], attributes)
        outcome = "ok"
        try:
            # The latest deadline: an early caller gives up alone and does not spoil the others.
            budget_s = max(waiting.deadline_s for waiting in batch) - started_s
            output = await self._model.score(pack(jobs), budget_s, spans.traceparent)
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
                wait_s = started_s - waiting.arrived_s
                waiting.reply.set_result(
                    RankerReply(scores, wait_s, model_s, batch_rows, len(batch))
                )


def _sampled_parent(job: RankerJob) -> Context | None:
    """The span that asked: Serve's own of this call, or the caller's; None when not sampled."""
    here = get_current()
    span = trace.get_current_span(here).get_span_context()
    if span.is_valid:
        return here if span.trace_flags.sampled else None
    return context_of(job.traceparent)


def _fail(batch: list[_Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.reply.done():
            waiting.reply.set_exception(error)


def pack(jobs: list[RankerJob]) -> RankerBatch:
    """Flat arrays with boundaries; token columns as wide as the longest text of the batch."""
    texts = [job.texts for job in jobs]
    return RankerBatch(
        query_tokens=_stack([text.query_tokens for text in texts]),
        user_history_counts=np.array([text.n_user_history for text in texts], np.int32),
        session_history_counts=np.array([text.n_session_history for text in texts], np.int32),
        bought_counts=np.array([len(text.purchases) for text in texts], np.int32),
        purchases=np.concatenate([text.purchases for text in texts]),
        history_keys=np.concatenate([text.history_keys for text in texts]),
        history_tokens=_stack([text.history_tokens for text in texts]),
        row_counts=np.array([len(job.features) for job in jobs], np.int32),
        item_keys=np.concatenate([text.item_keys for text in texts]),
        item_tokens=_stack([text.item_tokens for text in texts]),
        features=np.concatenate([job.features for job in jobs]),
        feature_names=FEATURE_NAMES,
    )


def unpack(jobs: list[RankerJob], output: RankerScores) -> list[Scores]:
    """Each job's scores; raises BadModelOutputError when number or values cannot be right."""
    counts = [len(job.features) for job in jobs]
    n_rows = sum(counts)
    if output.scores.shape != (n_rows,) or output.parts.shape != (n_rows, len(PART_NAMES)):
        shapes = f"{output.scores.shape} and {output.parts.shape}"
        raise BadModelOutputError(f"scores and parts of {shapes} for {n_rows} rows")
    if not np.isfinite(output.scores).all():
        raise BadModelOutputError("scores that are not finite")
    ends = np.cumsum(counts)
    return [
        Scores(
            output.scores[end - n : end], output.parts[end - n : end], PART_NAMES, output.version
        )
        for n, end in zip(counts, ends.tolist(), strict=True)
    ]


def _stack(tokens: list[npt.NDArray[np.int16]]) -> npt.NDArray[np.int16]:
    width = max(part.shape[1] for part in tokens)
    out = np.zeros((sum(len(part) for part in tokens), width), np.int16)
    start = 0
    for part in tokens:
        out[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return out
