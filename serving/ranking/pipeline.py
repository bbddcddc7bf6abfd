"""The whole path of a ranking, in one method, top to bottom."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager as Held
from typing import Protocol

from serving.errors import RankingError
from serving.models.batcher import RankerClient
from serving.models.latency import LatencyEstimate
from serving.ranking import exclusions
from serving.ranking.admission import Admission
from serving.ranking.assigning import Assigning, count_ranking
from serving.ranking.cold_start import ColdStartClient, cold_start_scores
from serving.ranking.explaining.explained import explained
from serving.ranking.placements.reminder import reminded
from serving.ranking.request import Context, Recommend, Search, Source, seeds_of
from serving.ranking.scoring.by_model import ModelScoring
from serving.ranking.scoring.shadow import Shadow
from serving.ranking.scoring.teams import scored, shared
from serving.ranking.settings import PipelineSettings
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.slate.policy import Rival, SlatePolicy
from serving.ranking.sources import Sources
from serving.ranking.values import (
    Evidence,
    Judged,
    Resolved,
    ShopperState,
    Slate,
    Unavailable,
    Unknown,
)
from serving.ranking.wishes import candidates_for
from serving.search.filters import Filters
from serving.search.kinds import Kind, Liked
from serving.shops.rules import ColdStartRules
from serving.shops.shop import Shop
from serving.telemetry.stages import Stages
from serving.types import Reason, Route, Scores, Stage


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
        self._assigning = Assigning(settings)
        self._scoring = ModelScoring(shopper_features, ranker, settings, latency)
        self.shadow = Shadow(admission, self._scoring, settings)
        self._cold_start = cold_start
        self._policy = policy
        self._recorder = recorder
        self._settings = settings

    async def rank(self, shop: Shop, source: Source, context: Context, stages: Stages) -> Slate:
        """The slate of a request, never later than its deadline.

        Raises OverloadedError; never for a dependency.
        """
        async with self.turn(shop, context, stages):
            shopper = await self.shopper(shop, context, stages)
            resolved = await self.resolve(shop, source, context, shopper, stages)
            judged = await self.judge(resolved)
            slate = self.slate(judged)
            self.told(resolved, slate)
            return await self.explained(judged, slate) if context.explain else slate

    def turn(self, shop: Shop, context: Context, stages: Stages) -> Held[None]:
        """The permit to work on a request of a shop; raises OverloadedError."""
        return self._admission.turn(shop.name, context.deadline_s, stages)

    async def shopper(self, shop: Shop, context: Context, stages: Stages) -> ShopperState:
        """Who asks: one read."""
        with stages.stage(Stage.FEATURES):
            return await self._features.read(shop, context)

    async def resolve(
        self,
        shop: Shop,
        source: Source,
        context: Context,
        shopper: ShopperState,
        stages: Stages,
        told: Collection[str] = (),
    ) -> Resolved:
        """The request with its candidates, what is known of them, and its arms.

        told: items that other shelves of a page are like already
        """
        exclusion = exclusions.outcome(source, shopper)
        source, because = reminded(source, shopper.states, shop.items.table, told)
        source = exclusions.for_shopper(source, shopper.states, context.at_s)
        candidates, context = await candidates_for(
            self._sources, shop, source, context, shopper.states, stages
        )
        asked = self._assigning.asked(source, context, shopper)
        assignment = self._assigning.assign(shop, context, shopper, asked)
        with stages.stage(Stage.FEATURES):
            evidence = self._features.evidence(shop, context, shopper.states, source)
            features = self._features.matrix(shop, context, candidates, evidence, assignment)
        return Resolved(
            shop, context, source, shopper, asked, assignment, candidates, evidence, features,
            stages, exclusion, because,
        )  # fmt: skip

    def left_s(self, context: Context) -> float:
        """What is left before rules must answer."""
        return self._scoring.left_s(context)

    def way(self, resolved: Resolved) -> tuple[Route, Reason | None]:
        """Who is to rank, and why not the model."""
        context, candidates = resolved.context, resolved.candidates
        if isinstance(resolved.shopper, Unavailable) and candidates.sort_key is None:
            in_time = self._scoring.left_s(context) > 0
            return Route.FALLBACK, Reason.FEATURES_UNAVAILABLE if in_time else Reason.DEADLINE
        if len(candidates) == 0:
            nothing = Reason.NO_MATCH if isinstance(resolved.source, Search) else None
            return Route.COLD_START, nothing
        if candidates.sort_key is not None:
            return Route.COLD_START, Reason.SORTED
        if not self._knows_enough(context, resolved.source, resolved.evidence):
            return Route.COLD_START, context.why_unknown
        return Route.MODEL, None

    async def judge(self, resolved: Resolved) -> Judged:
        """The scores of a request, by the model or by rules."""
        route, reason = self.way(resolved)
        if route is Route.MODEL:
            return await self._by_model(resolved)
        if reason is not None and reason is resolved.context.why_unknown:
            return await self._for_new_shopper(resolved, reason)
        return self.by_rules(resolved, route, reason)

    async def explained(self, judged: Judged, slate: Slate) -> Slate:
        """The slate with what its request asks to be told of it."""
        return await explained(self, self._scoring, judged, slate, self._settings.relevance_reach)

    def told(self, resolved: Resolved, slate: Slate) -> None:
        """Count and keep an answer, and have it compared with shadows; returns at once."""
        count_ranking(resolved.shop, slate)
        self._recorder.record(resolved.shop, slate)
        self.shadow.offer(resolved, slate, resolved.asked)

    async def kinds(
        self, shop: Shop, kind: Kind, filters: Filters | None, context: Context, stages: Stages
    ) -> tuple[list[Liked], Reason | None]:
        """Brands or categories, and why they are only the popular ones; raises OverloadedError."""
        async with self.turn(shop, context, stages):
            shopper = await self.shopper(shop, context, stages)
            source = exclusions.for_shopper(Recommend((), filters), shopper.states, context.at_s)
            with stages.stage(Stage.RETRIEVE):
                found = await self._sources.kinds(shop, shopper.states, kind, source.filters)
            if isinstance(shopper, Unavailable):
                return found, Reason.FEATURES_UNAVAILABLE
            return found, context.why_unknown if isinstance(shopper, Unknown) else None

    async def _by_model(self, resolved: Resolved) -> Judged:
        """By the model: all candidates, or the best by rules when there is no time for more."""
        try:
            with resolved.stages.stage(Stage.SCORE):
                by = await scored(self._scoring, resolved)
        except RankingError as error:
            return self.by_rules(resolved, Route.FALLBACK, Reason.of(error.code))
        return Judged(by.resolved, by.scores, Route.MODEL, by.reason, by.rival)

    async def _for_new_shopper(self, resolved: Resolved, reason: Reason) -> Judged:
        """By the rules of the arm, or by those of both arms that share the slate."""
        own, teams = resolved.assignment.rules.cold_start, resolved.assignment.teams
        with resolved.stages.stage(Stage.RULES):
            scores = await self._cold_start_scores(resolved, own)
            rival = scores if teams is not None else None
            if teams is not None and teams[1].rules.cold_start != own:
                rival = await self._cold_start_scores(resolved, teams[1].rules.cold_start)
        return Judged(resolved, scores, Route.COLD_START, reason, rival)

    async def _cold_start_scores(self, resolved: Resolved, rules: ColdStartRules) -> Scores:
        own = resolved.shop.rules.cold_start  # of the deployment, which knows no arms
        if self._cold_start is not None and rules == own:
            try:
                budget_s = self._scoring.budget_s(resolved.context)
                return await self._cold_start.score(resolved.features, budget_s)
            except RankingError:
                pass  # The same rules, here: only the deployment is missed.
        return cold_start_scores(resolved.features, rules)

    def by_rules(self, resolved: Resolved, route: Route, reason: Reason | None) -> Judged:
        """By the rules that the request is ranked by."""
        with resolved.stages.stage(Stage.RULES):
            scores = cold_start_scores(resolved.features, resolved.assignment.rules.cold_start)
        return Judged(resolved, scores, route, reason)

    def slate(self, judged: Judged) -> Slate:
        """Scores to the answer: the shop's rules, and what is left to chance."""
        resolved, scores, route, reason, rival = judged
        teams = resolved.assignment.teams
        rivalry = Rival(rival.values, teams[1].rules) if rival is not None and teams else None
        with resolved.stages.stage(Stage.SLATE):
            ordered = self._policy.order(
                resolved.shop.items.table,
                resolved.assignment.rules,
                resolved.context,
                resolved.candidates,
                resolved.features,
                scores.values,
                self._settings.relevance_reach,
                resolved.evidence.asking,
                rivalry,
            )
            if rival is not None and ordered.teams is not None:
                scores = shared(scores, rival, ordered.order[ordered.teams == 1])
            return Slate(
                resolved.context, resolved.assignment, resolved.candidates, resolved.features,
                scores, ordered.values, ordered.order, ordered.propensity, ordered.notes, route,
                reason, resolved.exclusion, {}, ordered.teams, resolved.stages.model_s,
                resolved.because, ordered.floors, ordered.owed,
            )  # fmt: skip

    def _knows_enough(self, context: Context, source: Source, evidence: Evidence) -> bool:
        """A query or the items asked about speak for the need of the moment; so does history."""
        if isinstance(source, Recommend) and source.cart_item_ids:
            # A stranger's cart the model ranks worse than the rules do (docs/quality.md).
            return evidence.states.user is not None
        if context.query is not None or seeds_of(source):
            return True
        return evidence.interactions >= self._settings.min_interactions
