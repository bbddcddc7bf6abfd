"""The whole path of a ranking, in one method, top to bottom."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from serving.errors import ModelTimeoutError, RankingError
from serving.experiments.assignment import Assignment, assign
from serving.models.batcher import RankerClient, RankerJob
from serving.models.latency import LatencyEstimate
from serving.ranking import exclusions
from serving.ranking.admission import Admission
from serving.ranking.cold_start import ColdStartClient, cold_start_scores
from serving.ranking.request import Context, Recommend, Search, Source, seeds_of
from serving.ranking.settings import PipelineSettings
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.shortlist import with_rest
from serving.ranking.slate.because import because_of
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.sources import Sources
from serving.ranking.values import (
    Candidates,
    Evidence,
    FeatureMatrix,
    Slate,
    Unavailable,
    Unknown,
)
from serving.search.filters import Filters
from serving.search.kinds import Kind, Liked
from serving.shops.shop import Shop
from serving.telemetry.metrics import RANKINGS
from serving.telemetry.stages import Stages, current_traceparent
from serving.types import Exclusion, Reason, Route, Scores, Stage


class RankingRecorder(Protocol):
    """Keeps answered rankings for training; must return at once."""

    def record(self, shop: Shop, slate: Slate) -> None:
        """Take a slate over."""
        ...


class RankingPipeline:
    """Ranks. A request never fails because a dependency failed: it degrades, and says so.

    cold_start: scores new shoppers in a deployment of its own; None: here (docs/adr/0018).
    """

    def __init__(
        self,
        admission: Admission,
        shopper_features: ShopperFeatures,
        sources: Sources,
        ranker: RankerClient,
        cold_start: ColdStartClient | None,
        policy: SlatePolicy,
        recorder: RankingRecorder,
        settings: PipelineSettings,
        latency: LatencyEstimate,
    ) -> None:
        self._admission = admission
        self._features = shopper_features
        self._sources = sources
        self._ranker = ranker
        self._cold_start = cold_start
        self._policy = policy
        self._recorder = recorder
        self._settings = settings
        self._latency = latency

    async def rank(self, shop: Shop, source: Source, context: Context, stages: Stages) -> Slate:
        """The slate of a request, never later than its deadline.

        Raises OverloadedError; never for a dependency.
        """
        async with self._admission.turn(context.deadline_s, stages):
            assignment = assign(shop.rules)
            with stages.stage(Stage.FEATURES):
                shopper = await self._features.read(shop, context)
            exclusion = exclusions.outcome(source, shopper)
            source = exclusions.for_shopper(source, shopper.states, context.at_s)
            candidates = await self._sources.candidates(
                shop, source, context, shopper.states, stages
            )
            with stages.stage(Stage.FEATURES):
                evidence = self._features.evidence(shop, context, shopper.states, source)
                features = self._features.matrix(shop, context, candidates, evidence)
            resolved = _Resolved(
                shop, context, assignment, candidates, evidence, features, stages, exclusion
            )
            if isinstance(shopper, Unavailable) and candidates.sort_key is None:
                in_time = self._left_s(context) > 0
                reason = Reason.FEATURES_UNAVAILABLE if in_time else Reason.DEADLINE
                slate = self._by_rules(resolved, Route.FALLBACK, reason)
            elif len(candidates) == 0:
                nothing = Reason.NO_MATCH if isinstance(source, Search) else None
                slate = self._by_rules(resolved, Route.COLD_START, nothing)
            elif candidates.sort_key is not None:
                slate = self._by_rules(resolved, Route.COLD_START, Reason.SORTED)
            elif not self._knows_enough(context, source, evidence):
                slate = await self._for_new_shopper(resolved)
            else:
                slate = await self._by_model(resolved)
            RANKINGS.labels(slate.route.value, slate.reason or "none", assignment.variant).inc()
            self._recorder.record(shop, slate)
            return slate

    async def kinds(
        self, shop: Shop, kind: Kind, filters: Filters | None, context: Context, stages: Stages
    ) -> tuple[list[Liked], Reason | None]:
        """Brands or categories, and why they are only the popular ones; raises OverloadedError."""
        async with self._admission.turn(context.deadline_s, stages):
            with stages.stage(Stage.FEATURES):
                shopper = await self._features.read(shop, context)
            source = exclusions.for_shopper(Recommend((), filters), shopper.states, context.at_s)
            with stages.stage(Stage.RETRIEVE):
                found = await self._sources.kinds(shop, shopper.states, kind, source.filters)
            if isinstance(shopper, Unavailable):
                return found, Reason.FEATURES_UNAVAILABLE
            return found, Reason.NEW_SHOPPER if isinstance(shopper, Unknown) else None

    async def _by_model(self, resolved: "_Resolved") -> Slate:
        """By the model: all candidates, or the best by rules when there is no time for more."""
        context, features, stages = resolved.context, resolved.features, resolved.stages
        try:
            with stages.stage(Stage.SCORE):
                budget_s = self._model_budget_s(context)
                affordable = max(self._latency.rows_within(budget_s), self._settings.min_shortlist)
                reason = None
                if affordable >= len(features.rows):
                    scores = await self._score(resolved, features, budget_s)
                else:
                    rules = resolved.assignment.rules.cold_start
                    by_rules = cold_start_scores(features, rules).values
                    best = np.sort(np.argsort(-by_rules, kind="stable")[:affordable])
                    scores = await self._score(resolved, features.take(best), budget_s)
                    scores, reason = with_rest(scores, best, by_rules), Reason.SHORTLIST
        except RankingError as error:
            return self._by_rules(resolved, Route.FALLBACK, Reason.of(error.code))
        return self._slate(resolved, scores, Route.MODEL, reason)

    async def _score(
        self, resolved: "_Resolved", features: FeatureMatrix, budget_s: float
    ) -> Scores:
        tensors = self._features.tensors(
            resolved.shop, resolved.context, resolved.evidence, features
        )
        started_s = time.monotonic()
        try:
            reply = await self._ranker.score(RankerJob(tensors, current_traceparent()), budget_s)
        except ModelTimeoutError:
            self._latency.timed_out(len(features.rows), budget_s)
            raise
        self._latency.answered(len(features.rows), time.monotonic() - started_s)
        resolved.stages.batch(reply)
        return reply.scores

    async def _for_new_shopper(self, resolved: "_Resolved") -> Slate:
        if self._cold_start is None:
            return self._by_rules(resolved, Route.COLD_START, Reason.NEW_SHOPPER)
        try:
            with resolved.stages.stage(Stage.RULES):
                budget_s = self._model_budget_s(resolved.context)
                scores = await self._cold_start.score(resolved.features, budget_s)
        except RankingError:
            # The same rules, here: only the deployment is missed.
            return self._by_rules(resolved, Route.COLD_START, Reason.NEW_SHOPPER)
        return self._slate(resolved, scores, Route.COLD_START, Reason.NEW_SHOPPER)

    def _by_rules(self, resolved: "_Resolved", route: Route, reason: Reason | None) -> Slate:
        with resolved.stages.stage(Stage.RULES):
            scores = cold_start_scores(resolved.features, resolved.assignment.rules.cold_start)
        return self._slate(resolved, scores, route, reason)

    def _slate(
        self, resolved: "_Resolved", scores: Scores, route: Route, reason: Reason | None
    ) -> Slate:
        with resolved.stages.stage(Stage.SLATE):
            table, rows = resolved.shop.items.table, resolved.candidates.rows
            ordered = self._policy.order(
                table,
                resolved.assignment.rules,
                resolved.context,
                resolved.candidates,
                resolved.features,
                scores.values,
                self._settings.relevance_reach,
                resolved.evidence.asking,
            )
            told = resolved.context.explain and resolved.context.query is None  # else: it was asked
            because = because_of(table, resolved.evidence, rows, ordered.order) if told else {}
            return Slate(
                resolved.context,
                resolved.assignment,
                resolved.candidates,
                resolved.features,
                scores,
                ordered.values,
                ordered.order,
                ordered.propensity,
                ordered.notes,
                route,
                reason,
                resolved.exclusion,
                because,
                ordered.teams,
            )

    def _knows_enough(self, context: Context, source: Source, evidence: Evidence) -> bool:
        """A query or the items asked about speak for the need of the moment; so does history."""
        if isinstance(source, Recommend) and source.cart_item_ids:
            # A stranger's cart the model ranks worse than the rules do (docs/quality.md).
            return evidence.states.user is not None
        if context.query is not None or seeds_of(source):
            return True
        return evidence.interactions >= self._settings.min_interactions

    def _model_budget_s(self, context: Context) -> float:
        """What the model may take so that rules still make the deadline; raises when nothing is."""
        left_s = self._left_s(context)
        if left_s <= 0:
            raise ModelTimeoutError("no time is left for the model")
        return self._settings.model_share_s(left_s)

    def _left_s(self, context: Context) -> float:
        return context.deadline_s - time.monotonic() - self._settings.rules_reserve_s


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A request with all that scoring it needs."""

    shop: Shop
    context: Context
    assignment: Assignment
    candidates: Candidates
    evidence: Evidence
    features: FeatureMatrix
    stages: Stages
    exclusion: Exclusion | None
