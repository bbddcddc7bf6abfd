"""Scores by the model, within a budget: of all candidates, or of the best when time is short."""

import time
from dataclasses import replace

import numpy as np

from serving.errors import ModelTimeoutError
from serving.models.batcher import RankerClient, RankerJob, RankerReply
from serving.models.latency import LatencyEstimate
from serving.ranking.cold_start import cold_start_scores
from serving.ranking.request import Context
from serving.ranking.scoring.shortlist import with_rest
from serving.ranking.settings import PipelineSettings
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.values import NOBODY, FeatureMatrix, Resolved, Unknown
from serving.telemetry.stages import current_traceparent
from serving.types import Reason, Scores


class ModelScoring:
    """Asks the ranker. What its answers take is learnt of each version apart."""

    def __init__(
        self,
        features: ShopperFeatures,
        ranker: RankerClient,
        settings: PipelineSettings,
        latency: LatencyEstimate,
    ) -> None:
        self._features = features
        self._ranker = ranker
        self._settings = settings
        self._latency: dict[str | None, LatencyEstimate] = {None: latency}

    async def score(self, resolved: Resolved) -> tuple[Scores, Reason | None]:
        """Scores, and why they are not the named version's of all candidates; or a RankingError."""
        version, features = resolved.assignment.model_version, resolved.features
        latency = self._latency.setdefault(version, LatencyEstimate())
        budget_s = self.budget_s(resolved.context)
        affordable = max(latency.rows_within(budget_s), self._settings.min_shortlist)
        reason = None
        if affordable >= len(features.rows):
            scores = await self._timed(resolved, features, budget_s, latency)
        else:
            rules = resolved.assignment.rules.cold_start
            by_rules = cold_start_scores(features, rules).values
            best = np.sort(np.argsort(-by_rules, kind="stable")[:affordable])
            scores = await self._timed(resolved, features.take(best), budget_s, latency)
            scores, reason = with_rest(scores, best, by_rules), Reason.SHORTLIST
        if version is not None and scores.model_version != version:
            reason = Reason.VERSION_NOT_LOADED
        return scores, reason

    async def ask(
        self,
        resolved: Resolved,
        features: FeatureMatrix,
        budget_s: float,
        version: str | None,
        explained: bool = False,
    ) -> RankerReply:
        """The answer of one version (None: the one in use) for `features`; or a RankingError."""
        tensors = self._features.tensors(
            resolved.shop, resolved.context, resolved.evidence, features, version, explained
        )
        job = RankerJob(tensors, current_traceparent(), version)
        return await self._ranker.score(job, budget_s)

    def of_nobody(self, resolved: Resolved) -> Resolved:
        """The request as somebody makes it whom the shop does not know."""
        shop, context = resolved.shop, resolved.context
        evidence = self._features.evidence(shop, context, NOBODY, resolved.source)
        features = self._features.matrix(shop, context, resolved.candidates, evidence)
        return replace(resolved, shopper=Unknown(), evidence=evidence, features=features)

    def budget_s(self, context: Context) -> float:
        """What the model may take so that rules still make the deadline; raises when nothing is."""
        left_s = self.left_s(context)
        if left_s <= 0:
            raise ModelTimeoutError("no time is left for the model")
        return self._settings.model_share_s(left_s)

    def left_s(self, context: Context) -> float:
        """What is left before rules must answer."""
        return context.deadline_s - time.monotonic() - self._settings.rules_reserve_s

    async def _timed(
        self,
        resolved: Resolved,
        features: FeatureMatrix,
        budget_s: float,
        latency: LatencyEstimate,
    ) -> Scores:
        started_s = time.monotonic()
        try:
            reply = await self.ask(resolved, features, budget_s, resolved.assignment.model_version)
        except ModelTimeoutError:
            latency.timed_out(len(features.rows), budget_s)
            raise
        latency.answered(len(features.rows), time.monotonic() - started_s)
        resolved.stages.batch(reply)
        return reply.scores
