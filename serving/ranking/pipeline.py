"""The whole path of a ranking, in one method, top to bottom."""

import time
from dataclasses import replace
from typing import Protocol

import numpy as np

from features.behavior.matrix import Shopper
from serving.errors import FeaturesUnavailableError, ModelTimeoutError, RankingError
from serving.models.batcher import RankerJob, RankerReply
from serving.models.latency import Pace
from serving.ranking.cold_start import ColdStart
from serving.ranking.settings import PipelineSettings
from serving.ranking.shopper_features import FeatureLookup
from serving.ranking.slate import SlatePolicy
from serving.ranking.values import FeatureMatrix, RankingRequest, Scores, Slate
from serving.telemetry.stages import Stages, current_traceparent
from serving.types import FloatArray, Reason, Route, RowArray, Stage


class Scorer(Protocol):
    """The ranker, here or behind a handle."""

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        """Scores within the budget, or a RankingError."""
        ...


class RulesScorer(Protocol):
    """Cold start, here or behind a handle."""

    async def score(self, features: FeatureMatrix, budget_s: float) -> Scores:
        """Scores within the budget, or a RankingError."""
        ...


class RankingPipeline:
    """Ranks. A request never fails because a dependency failed: it degrades, and says so."""

    def __init__(
        self,
        lookup: FeatureLookup,
        ranker: Scorer,
        cold_start: RulesScorer,
        last_resort: ColdStart,
        policy: SlatePolicy,
        settings: PipelineSettings,
        pace: Pace,
    ) -> None:
        self._lookup = lookup
        self._ranker = ranker
        self._cold_start = cold_start
        self._last_resort = last_resort
        self._policy = policy
        self._settings = settings
        self._pace = pace

    async def rank(
        self, request: RankingRequest, stages: Stages, shopper: Shopper | None = None
    ) -> Slate:
        """The slate of `request`; never raises for a dependency, never later than the deadline.

        `shopper` is given by who has read it already.
        """
        try:
            with stages.stage(Stage.FEATURES):
                if shopper is None:
                    shopper = await self._lookup.shopper(request, self._features_budget_s(request))
                features = self._lookup.matrix(request, shopper)
        except FeaturesUnavailableError:
            features = self._lookup.matrix(request, Shopper())
            in_time = self._left_s(request) > 0
            reason = Reason.FEATURES_UNAVAILABLE if in_time else Reason.DEADLINE
            return self._by_rules(request, features, reason, stages)
        if not request.item_ids:
            return self._policy.slate(
                request, features, self._last_resort.score(features), Route.COLD_START
            )
        if not self._knows_enough(request, features.shopper):
            return await self._for_new_shopper(request, features, stages)
        try:
            with stages.stage(Stage.SCORE):
                scores, shortened = await self._by_model(request, features, stages)
        except RankingError as error:
            return self._by_rules(request, features, _reason(error), stages)
        with stages.stage(Stage.SLATE):
            return self._policy.slate(request, features, scores, Route.MODEL, shortened)

    async def _by_model(
        self, request: RankingRequest, features: FeatureMatrix, stages: Stages
    ) -> tuple[Scores, Reason | None]:
        """The model's scores: of all, or of the best by rules when there is no time for more."""
        budget_s = self._model_budget_s(request)
        fits = max(self._pace.rows_within(budget_s), self._settings.min_shortlist)
        if fits >= len(request.item_ids):
            return (await self._score(request, features, budget_s, stages)).scores, None
        by_rules = self._last_resort.score(features)
        best = np.sort(np.argsort(-by_rules.values, kind="stable")[:fits])
        reply = await self._score(request, features.take(best), budget_s, stages)
        return with_rest(reply.scores, best, by_rules.values), Reason.SHORTLIST

    async def _score(
        self, request: RankingRequest, features: FeatureMatrix, budget_s: float, stages: Stages
    ) -> RankerReply:
        job = RankerJob(
            self._lookup.texts(request, features), features.values, current_traceparent()
        )
        asked_s = time.monotonic()
        try:
            reply = await self._ranker.score(job, budget_s)
        except ModelTimeoutError:
            self._pace.late(len(features.rows), budget_s)
            raise
        self._pace.answered(len(features.rows), time.monotonic() - asked_s)
        stages.batch(reply)
        return reply

    async def _for_new_shopper(
        self, request: RankingRequest, features: FeatureMatrix, stages: Stages
    ) -> Slate:
        try:
            with stages.stage(Stage.RULES):
                scores = await self._cold_start.score(features, self._model_budget_s(request))
        except RankingError:
            # The same rules, here: only the deployment is missed.
            scores = self._last_resort.score(features)
        with stages.stage(Stage.SLATE):
            return self._policy.slate(
                request, features, scores, Route.COLD_START, Reason.NEW_SHOPPER
            )

    def _by_rules(
        self, request: RankingRequest, features: FeatureMatrix, reason: Reason, stages: Stages
    ) -> Slate:
        with stages.stage(Stage.RULES):
            scores = self._last_resort.score(features)
        with stages.stage(Stage.SLATE):
            return self._policy.slate(request, features, scores, Route.FALLBACK, reason)

    def _knows_enough(self, request: RankingRequest, shopper: Shopper) -> bool:
        """A query or the items asked about speak for the need of the moment; so does history."""
        if request.query is not None or request.seed_item_ids:
            return True
        known = sum(
            state.n_interactions for state in (shopper.user, shopper.session) if state is not None
        )
        return known >= self._settings.min_interactions

    def _features_budget_s(self, request: RankingRequest) -> float:
        left_s = request.deadline_s - time.monotonic()
        return max(0.001, min(self._settings.features_budget_s, left_s / 2))

    def _model_budget_s(self, request: RankingRequest) -> float:
        """What the model may take so that rules still make the deadline; raises when nothing is."""
        left_s = self._left_s(request)
        if left_s <= 0:
            raise ModelTimeoutError("no time is left for the model")
        return self._settings.model_share_s(left_s)

    def _left_s(self, request: RankingRequest) -> float:
        return request.deadline_s - time.monotonic() - self._settings.rules_reserve_s


def with_rest(scores: Scores, best: RowArray, by_rules: FloatArray) -> Scores:
    """`scores` of the candidates `best`, and behind them the others as `by_rules` (n,) has them.

    The others' scores spread as the model's do, below its lowest; they have no parts.
    """
    rest = np.ones(len(by_rules), bool)
    rest[best] = False
    spread = scores.values.std() / (by_rules.std() + 1e-9)
    behind = (by_rules[rest] - by_rules[rest].max()) * spread - 1e-3
    values = np.empty(len(by_rules), np.float32)
    values[best], values[rest] = scores.values, scores.values.min() + behind
    parts = np.full((len(by_rules), scores.parts.shape[1]), np.nan, np.float32)
    parts[best] = scores.parts
    return replace(scores, values=values, parts=parts)


def _reason(error: RankingError) -> Reason:
    """The error's code; one that no reason is named after tells of a model that is not well."""
    try:
        return Reason(error.code)
    except ValueError:
        return Reason.MODEL_UNAVAILABLE
