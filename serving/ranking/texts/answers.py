"""Answers to a customer's question: ranked, each with how sure it is, or handed over to a human."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from features.arrays import FloatArray
from serving.errors import RankingError
from serving.models.encoder import Encoder
from serving.ranking.admission import Admission
from serving.ranking.settings import PipelineSettings
from serving.search.answers.collection import Judge, Matched
from serving.shops.shop import Shop
from serving.telemetry.stages import Stages
from serving.telemetry.text_metrics import ANSWER_CONFIDENCE, ANSWERED
from serving.types import HandOver, Reason, Route, Stage

_READ = 2  # things that the customer said before the question that are read with it


@dataclass(frozen=True, slots=True)
class Question:
    """What a customer asks. earlier: what the customer said before, oldest first; least: the
    confidence that an answer needs, None: as the shop's model has it; language: ISO 639-1."""

    ranking_id: str
    text: str
    deadline_s: float  # time.monotonic
    earlier: Sequence[str] = ()
    language: str | None = None
    limit: int = 5
    least: float | None = None

    @property
    def readings(self) -> list[str]:
        """The question alone, and with what was said before: "and in red?" asks nothing alone."""
        if not self.earlier:
            return [self.text]
        return [self.text, " ".join([*self.earlier[-_READ:], self.text])]


@dataclass(frozen=True, slots=True)
class Ranked:
    """The answers, best first. hand_over: why none of them is to be given; None: the first is."""

    question: Question
    route: Route
    model_version: str
    least: float
    answers: list[Matched] = field(default_factory=list)
    reason: Reason | None = None
    hand_over: HandOver | None = None


class AnswerRanking:
    """Asks the general encoder; without it, words alone judge, and the answer says so."""

    def __init__(self, encoder: Encoder, admission: Admission, settings: PipelineSettings) -> None:
        self._encoder = encoder
        self._admission = admission
        self._settings = settings
        # Of thousands of answers it takes milliseconds: rankings go on meanwhile.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="answers")

    async def rank(self, shop: Shop, question: Question, stages: Stages) -> Ranked:
        """Raises OverloadedError; else it answers by the deadline, if only that it hands over."""
        async with self._admission.turn(shop.name, question.deadline_s, stages):
            judge = shop.answers.judge
            with stages.stage(Stage.RETRIEVE):
                vectors, reason = await self._vectors(judge, question)
            with stages.stage(Stage.SCORE):
                found = await asyncio.get_running_loop().run_in_executor(
                    self._pool, judge.answers, question.readings, vectors, question.language,
                    question.limit,
                )  # fmt: skip
        ranked = _ranked(judge, question, found, reason)
        outcome = ranked.hand_over.value if ranked.hand_over else "answered"
        ANSWERED.labels(shop.name, outcome, ranked.route.value).inc()
        if found:
            ANSWER_CONFIDENCE.labels(shop.name, ranked.route.value).observe(found[0].confidence)
        return ranked

    async def _vectors(
        self, judge: Judge, question: Question
    ) -> tuple[FloatArray | None, Reason | None]:
        """Of the readings, or why there are none."""
        if not judge.collection.answers:
            return None, None
        if not judge.collection.has_vectors:
            return None, Reason.MODEL_UNAVAILABLE  # it has not read the answers yet
        left_s = question.deadline_s - time.monotonic() - self._settings.rules_reserve_s
        try:
            budget_s = self._settings.model_share_s(max(left_s, 0.0))
            return await self._encoder.encode(question.readings, budget_s), None
        except RankingError as error:
            return None, Reason.of(error.code)


def _ranked(
    judge: Judge, question: Question, found: list[Matched], reason: Reason | None
) -> Ranked:
    least = judge.model.least if question.least is None else question.least
    hand_over = None
    if not judge.collection.answers:
        hand_over = HandOver.NO_ANSWERS
    elif not found or found[0].confidence < least:
        hand_over = HandOver.NOT_SURE
    route = Route.MODEL if reason is None else Route.FALLBACK
    return Ranked(question, route, judge.model.version, least, found, reason, hand_over)
