"""A candidate version ranks a share of the requests as well, after the answer, and nobody sees it.

It takes what shoppers leave: it begins only while few rankings are under way, one at a time in a
replica, and what finds no room is dropped and counted.
"""

import asyncio
import contextvars

import numpy as np

from serving.errors import RankingError
from serving.experiments.comparison import rank_biased_overlap, score_shift, top_overlap
from serving.experiments.draw import Asked, ShadowDraw, shadows_of
from serving.models.batcher import RankerReply
from serving.ranking.admission import Admission
from serving.ranking.scoring.by_model import ModelScoring
from serving.ranking.settings import PipelineSettings
from serving.ranking.values import Resolved, Slate
from serving.shops.rules import Rules
from serving.shops.shop import Shop
from serving.shops.steering.counts import LIVE
from serving.shops.steering.decision import Standing
from serving.telemetry.metrics import (
    SHADOW_OVERLAP,
    SHADOW_RANKINGS,
    SHADOW_SCORE_SHIFT,
    SHADOW_SECONDS,
    SHADOW_TOP_OVERLAP,
)
from serving.types import Reason, Route, Scores

_AFTER_S = 0.02  # the answer is made and sent meanwhile


class Shadow:
    """Compares the running shadows of each shop with what was answered. Of one event loop."""

    def __init__(
        self, admission: Admission, scoring: ModelScoring, settings: PipelineSettings
    ) -> None:
        self._admission = admission
        self._scoring = scoring
        self._settings = settings
        self._draws: dict[str, tuple[Rules, Standing, list[ShadowDraw]]] = {}  # by shop
        self._task: asyncio.Task[None] | None = None

    def offer(self, resolved: Resolved, slate: Slate, asked: Asked) -> None:
        """Have an answered request compared, if it is a shadow's turn; returns at once."""
        for draw in self._of(resolved.shop):
            if not draw.takes(resolved.context.ranking_id, asked):
                continue
            live = [(draw.experiment.key, LIVE)]
            resolved.shop.steering.tally.ranked(live, slate.route, slate.reason, slate.model_s)
            whole = slate.route is Route.MODEL and slate.reason is not Reason.SHORTLIST
            if not whole or slate.teams is not None:
                _count(resolved.shop, draw, "not_by_model")
            elif self._task is not None and not self._task.done():
                _count(resolved.shop, draw, "busy")
            else:
                # Outside of the request's trace, which is over.
                self._task = asyncio.create_task(
                    self._compare(draw, resolved, slate.scores), context=contextvars.Context()
                )

    async def settled(self) -> None:
        """Wait for the comparison that is under way, if there is one."""
        if self._task is not None:
            await self._task

    def _of(self, shop: Shop) -> list[ShadowDraw]:
        found, standing = self._draws.get(shop.name), shop.steering.standing
        if found is None or found[0] is not shop.rules or found[1] is not standing:
            draws = shadows_of(shop.rules, shop.name, standing)
            found = self._draws[shop.name] = (shop.rules, standing, draws)
        return found[2]

    async def _compare(self, draw: ShadowDraw, resolved: Resolved, live: Scores) -> None:
        live_s, shop = resolved.stages.model_s, resolved.shop
        await asyncio.sleep(_AFTER_S)
        if not self._admission.spare:
            _count(shop, draw, "busy")
            return
        try:
            reply = await self._scoring.ask(
                resolved, resolved.features, self._settings.model_budget_s, draw.model_version
            )
        except RankingError as error:
            _count(shop, draw, error.code)
            return
        if reply.scores.model_version != draw.model_version:
            _count(shop, draw, Reason.VERSION_NOT_LOADED)
            return
        _count(shop, draw, "ok", _observe(shop, draw, live, live_s, reply))


def _observe(
    shop: Shop, draw: ShadowDraw, live: Scores, live_s: float | None, reply: RankerReply
) -> float:
    """Returns the overlap of the orders."""
    labels, candidate = (shop.name, draw.experiment.key), reply.scores
    one, other = (np.argsort(-scores.values, kind="stable") for scores in (live, candidate))
    overlap = rank_biased_overlap(one, other)
    SHADOW_OVERLAP.labels(*labels).observe(overlap)
    SHADOW_TOP_OVERLAP.labels(*labels).observe(top_overlap(one, other))
    SHADOW_SCORE_SHIFT.labels(*labels).observe(score_shift(live.values, candidate.values))
    SHADOW_SECONDS.labels(*labels, "candidate").observe(reply.model_s)
    if live_s is not None:
        SHADOW_SECONDS.labels(*labels, "live").observe(live_s)
    return overlap


def _count(shop: Shop, draw: ShadowDraw, outcome: str, overlap: float = 0.0) -> None:
    SHADOW_RANKINGS.labels(shop.name, draw.experiment.key, outcome).inc()
    shop.steering.tally.compared(draw.experiment.key, outcome, overlap)
