"""A circuit breaker before the model: once it is known to hang, nobody waits for it any more.

It stands in the ingress, so that a call which is not worth making does not even cross to the
Ranker, and a Ranker replica that hangs is covered, too. One breaker a model and ingress replica.

Not `purgatory`: when half-open it lets every request through, and each would wait for the hung
model (and it tells time by the wall clock). Here no caller ever is the probe: the caller is
answered by rules at once, while a copy of the call is tried in the background, one at a time.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from features.arrays import FloatArray
from serving.errors import (
    ModelOverloadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RankingError,
)
from serving.models.batcher import RankerClient, RankerJob, RankerReply
from serving.models.encoder import Encoder
from serving.models.settings import BreakerSettings
from serving.telemetry.metrics import BREAKER_OPEN, BREAKER_OPENED

_LOG = logging.getLogger("vitrine.breaker")
_T = TypeVar("_T")


class Breaker:
    """Closed until `failures` calls in a row failed over `failing_s`; open until a probe succeeds.

    A failure is a model that cannot be reached, or that was given a fair budget and used it up. A
    caller who gave less says nothing of the model, and neither does a queue that is full.
    """

    def __init__(
        self, model: str, settings: BreakerSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """model: its name in metrics and log, one of a closed set."""
        self._model = model
        self._settings = settings
        self._clock = clock
        self._failures = 0
        self._failing_since_s = 0.0
        self._probe_due_s: float | None = None  # None: closed
        self._probe: asyncio.Task[None] | None = None
        self._gauge = BREAKER_OPEN.labels(model=model)
        self._gauge.set(0)

    @property
    def open(self) -> bool:
        """Whether calls are refused now."""
        return self._probe_due_s is not None

    async def call(self, ask: Callable[[float], Awaitable[_T]], budget_s: float) -> _T:
        """What `ask(budget_s)` gives; raises its RankingError, or ModelUnavailableError at once.

        `ask` may be called after this has raised: it must be safe to repeat.
        """
        if self.open:
            self._probe_when_due(ask, budget_s)
            raise ModelUnavailableError("it did not answer others, so it was not asked")
        return await self._watched(ask, budget_s)

    async def _watched(self, ask: Callable[[float], Awaitable[_T]], budget_s: float) -> _T:
        try:
            answer = await ask(budget_s)
        except RankingError as error:
            self._judge(error, budget_s)
            raise
        self._close()
        return answer

    def _judge(self, error: RankingError, budget_s: float) -> None:
        if isinstance(error, ModelOverloadedError):
            return
        if isinstance(error, ModelTimeoutError):
            if budget_s < self._settings.fair_budget_s:
                return
        elif not isinstance(error, ModelUnavailableError):
            self._close()  # a wrong answer is one
            return
        now_s = self._clock()
        if self._failures == 0:
            self._failing_since_s = now_s
        self._failures += 1
        enough = self._failures >= self._settings.failures
        if enough and now_s - self._failing_since_s >= self._settings.failing_s and not self.open:
            self._probe_due_s = now_s + self._settings.probe_interval_s
            self._gauge.set(1)
            BREAKER_OPENED.labels(model=self._model).inc()
            _LOG.warning("%s: not asked any more, %s", self._model, error.code)

    def _close(self) -> None:
        self._failures = 0
        if self.open:
            self._probe_due_s = None
            self._gauge.set(0)
            _LOG.warning("%s: answers again", self._model)

    def _probe_when_due(self, ask: Callable[[float], Awaitable[_T]], budget_s: float) -> None:
        due_s = self._probe_due_s
        if due_s is None or self._clock() < due_s or (self._probe and not self._probe.done()):
            return
        budget_s = max(budget_s, self._settings.fair_budget_s)
        self._probe = asyncio.create_task(self._try(ask, budget_s))

    async def _try(self, ask: Callable[[float], Awaitable[object]], budget_s: float) -> None:
        try:
            await self._watched(ask, budget_s)
        except RankingError:
            pass  # it was judged
        finally:
            if self.open:
                self._probe_due_s = self._clock() + self._settings.probe_interval_s


class CandidateBreakers:
    """The breakers of versions beside the one in use: of each that experiments name its own, made
    when it is asked for first, and one of all others.

    named: the versions that experiments name now; make: the breaker of a version
    """

    def __init__(
        self, named: Callable[[], Collection[str]], make: Callable[[str], Breaker], other: Breaker
    ) -> None:
        self._named = named
        self._make = make
        self._other = other
        self._made: dict[str, Breaker] = {}

    def of(self, version: str) -> Breaker:
        """Of one version."""
        if version not in self._made:
            if version not in self._named():
                return self._other
            self._made[version] = self._make(version)
        return self._made[version]


class GuardedRanker:
    """A `RankerClient` behind a breaker, of each version its own: one that hangs is asked no more,
    and the others are.

    breaker: of the version in use; candidates: of others; None: there are none
    """

    def __init__(
        self, ranker: RankerClient, breaker: Breaker, candidates: CandidateBreakers | None = None
    ) -> None:
        self._ranker = ranker
        self._breaker = breaker
        self._candidates = candidates

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """Scores within the budget, or a RankingError."""
        version = job.model_version
        breaker = self._breaker
        if version is not None and self._candidates is not None:
            breaker = self._candidates.of(version)
        return await breaker.call(lambda left_s: self._ranker.score(job, left_s), budget_s)


class GuardedEncoder:
    """An `Encoder` behind a breaker."""

    def __init__(self, encoder: Encoder, breaker: Breaker) -> None:
        self._encoder = encoder
        self._breaker = breaker

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        """See Encoder."""
        return await self._breaker.call(
            lambda left_s: self._encoder.encode(texts, left_s), budget_s
        )
