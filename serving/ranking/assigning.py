"""Which arms a request gets, and where they are told: trace and metrics."""

from opentelemetry import trace

from serving.experiments.assignment import Assigner, Assignment, unit_of
from serving.experiments.draw import Asked
from serving.ranking.request import Context, Given, Recommend, Search, Source
from serving.ranking.settings import PipelineSettings
from serving.ranking.values import ShopperState, Slate, Unavailable
from serving.shops.experiments import RequestKind
from serving.shops.rules import Rules
from serving.shops.shop import Shop
from serving.shops.steering.counts import PROMOTED
from serving.shops.steering.decision import Standing
from serving.telemetry.metrics import (
    EXPERIMENT_RANKINGS,
    NOT_INTERLEAVED,
    PLACEMENT_RANKINGS,
    RANKINGS,
)

_KINDS: dict[type[Source], RequestKind] = {
    Given: "rank", Search: "search", Recommend: "recommend",
}  # fmt: skip
ALIKE = "alike"  # why a slate is not shared whose two arms order alike
SEVERAL = "several"  # the label of a request in more than one experiment: their product is too many


class Assigning:
    """Draws the arms of requests, by the rules of their shop."""

    def __init__(self, settings: PipelineSettings) -> None:
        self._settings = settings
        # By shop and placement, each with what it was made of.
        self._assigners: dict[tuple[str, str | None], tuple[Rules, Standing, Assigner]] = {}

    def assign(
        self, shop: Shop, context: Context, shopper: ShopperState, asked: Asked
    ) -> Assignment:
        """The assignment of one request, told to its span."""
        assigner = self._assigner(shop, context.placement)
        answered = not isinstance(shopper, Unavailable)
        unit = unit_of(context.user_id, context.session_id, shopper.states if answered else None)
        assignment = assigner.assign(unit, asked)
        span = trace.get_current_span()
        if assignment.exposures and span.is_recording():
            labels = [exposure.label for exposure in assignment.exposures]
            span.set_attribute("ranking.experiments", labels)
        return assignment

    def _assigner(self, shop: Shop, placement: str | None) -> Assigner:
        rules, standing = shop.rules, shop.steering.standing
        kept = self._assigners.get((shop.name, placement))
        if kept is None or kept[0] is not rules or kept[1] is not standing:
            there = rules if placement is None else rules.placed(placement)
            own = None if placement is None else rules.placements[placement].ranker
            assigner = Assigner(there, shop.name, standing, own or rules.ranker)
            kept = self._assigners[shop.name, placement] = rules, standing, assigner
        return kept[2]

    def asked(self, source: Source, context: Context, shopper: ShopperState) -> Asked:
        """What targeting asks."""
        user, session = shopper.states.user, shopper.states.session
        interactions = 0 if user is None else user.n_interactions
        interactions += 0 if session is None else session.n_interactions
        known = interactions >= self._settings.min_interactions
        return Asked(_KINDS[type(source)], context.locale, context.page, context.placement, known)


def count_ranking(shop: Shop, slate: Slate) -> None:
    """Count an answered request: once in all, for its placement, for each experiment it was in, and
    where its two arms were to share the slate and did not."""
    exposures, promoted = slate.assignment.exposures, slate.assignment.promoted
    several = len(exposures) + len(promoted) > 1
    variant = SEVERAL if several else slate.assignment.variant
    reason = slate.reason or "none"
    RANKINGS.labels(shop.name, slate.route.value, reason, variant).inc()
    if slate.context.placement is not None:
        PLACEMENT_RANKINGS.labels(
            shop.name, slate.context.placement, slate.route.value, reason
        ).inc()
    for exposure in exposures:
        EXPERIMENT_RANKINGS.labels(
            shop.name, exposure.experiment, exposure.variant, slate.route.value, reason
        ).inc()
    if exposures or promoted:
        arms = [(exposure.experiment, exposure.variant) for exposure in exposures]
        arms += [(experiment, PROMOTED + arm) for experiment, arm in promoted]
        shop.steering.tally.ranked(arms, slate.route, slate.reason, slate.model_s)
    interleaved = slate.assignment.interleaved if exposures else None
    if interleaved is not None and slate.teams is None:
        NOT_INTERLEAVED.labels(shop.name, interleaved, slate.reason or ALIKE).inc()
