"""Scores to an ordered slate: stable order, business rules, diversity, pins, exploration.

Every step is a permutation. A pinned item stands at its place whatever else moves; what is buried,
or hidden by the shopper, stays behind all others but pins. Propensities tell how likely the policy
was to put each item where it stands (exploration.py), so that what shoppers then do can be
evaluated off-policy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray
from features.behavior.matrix import Shopper
from features.catalog.table import ItemTable
from serving.ranking.request import Context
from serving.ranking.slate.bounds import Bounds
from serving.ranking.slate.draws import Draws
from serving.ranking.slate.exploration import explore
from serving.ranking.slate.floors import Floors, on_offer
from serving.ranking.slate.held import Held
from serving.ranking.slate.interleave import NO_TEAM, Teams, team_draft
from serving.ranking.slate.moves import FREE, Moves, Notes, Order
from serving.ranking.slate.places import Frame, best
from serving.ranking.slate.uplift import Uplift
from serving.ranking.values import NOBODY, Candidates, FeatureMatrix
from serving.shops.exploration import NOTHING_LEFT_TO_CHANCE, Exploration
from serving.shops.rules import Rules


class Ordered(NamedTuple):
    """Indices of the candidates in order (m,), their propensities (m,), what moved whom, what all
    candidates were ordered by (n,), and whose pick each is (m,), where two orders were interleaved:
    then the second arm's picks have its values and notes. floors: what each of them did.
    """

    order: Order
    propensity: FloatArray
    notes: Notes
    values: FloatArray
    teams: Teams | None = None
    floors: tuple[Held, ...] = ()
    owed: FloatArray | None = None  # what floors lifted all candidates by, in spreads (n,)


Draw = Callable[[np.random.Generator], Ordered]


class Rival(NamedTuple):
    """The second arm of an interleaved ranking. scores: (n,); rules: its boosts and fatigue count;
    the slate's pins, buries and diversity are the first arm's."""

    scores: FloatArray
    rules: Rules


class SlatePolicy:
    """What the shop wants, whoever scored. rng: of exploration and of team drafts.

    The generator's state is not logged: with it a slate could be drawn again only from the same
    scores, rules and counters, and these are not logged. The propensities say all that is needed.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.floors = Floors()

    def order(
        self,
        table: ItemTable,
        rules: Rules,
        context: Context,
        candidates: Candidates,
        features: FeatureMatrix,
        scores: FloatArray,
        reach: float = 1.0,
        shopper: Shopper = NOBODY,
        rival: Rival | None = None,
    ) -> Ordered:
        """All candidates in order, cut at the request's limit.

        scores: float32 (n,), higher is better; reach: how much less relevant to the query an item
        may be than one behind it (bounds.py); shopper: what is known of who asks; rival: a second
        arm, with which the order is interleaved instead of explored. Where both order alike, no
        pick is anyone's: it would tell nothing
        """
        # What is not personal is the same for all. An order of the caller's and two arms at once
        # have no floors either.
        held = rules.floors and context.personal and rival is None
        floors = rules.floors if held and candidates.sort_key is None else ()
        offer = on_offer(table, floors, features)
        owed = self.floors.lift(table, offer)
        draw = drawing(
            table, rules, context, candidates, features, scores, reach, shopper, rival, owed
        )  # fmt: skip
        ordered = draw(self._rng)
        if not offer:
            return ordered
        if context.offset:  # lifted as the page before, or an item of that would come again
            return ordered._replace(owed=owed)
        told = self.floors.shown(table, offer, ordered.order, scores, owed)
        return ordered._replace(floors=told, owed=owed)


def drawing(
    table: ItemTable,
    rules: Rules,
    context: Context,
    candidates: Candidates,
    features: FeatureMatrix,
    scores: FloatArray,
    reach: float = 1.0,
    shopper: Shopper = NOBODY,
    rival: Rival | None = None,
    owed: FloatArray | None = None,
) -> Draw:
    """All of SlatePolicy.order but chance: draws a slate of the request as often as it is asked.

    owed: what floors of exposure lift candidates by, in spreads (n,)
    """
    bounds = Bounds(candidates.relevance, reach)
    move = Moves(table, rules, context, candidates, features, shopper)
    if candidates.sort_key is not None:
        asked = _as_asked(candidates.sort_key, move, context)
        return lambda rng: asked
    values = bounds.bounded(move.boosted(scores, owed))
    plan = _plan(values, move, rules, bounds)
    shown = theirs_shown = scores if candidates.relevance is None else values
    if rival is None:
        # Drawn anew, an item of the page before could come again; and what is not personal is the
        # same for all.
        sure = context.offset or not context.personal
        rule = NOTHING_LEFT_TO_CHANCE if sure else rules.exploration
        fill = _exploring(plan, rule, features, bounds, values)
    else:
        theirs = Moves(table, rival.rules, context, candidates, features, shopper)
        their_values = bounds.bounded(theirs.boosted(rival.scores))
        theirs_shown = rival.scores if candidates.relevance is None else their_values
        fill = _drafting(plan, plan.by(their_values), theirs.notes)
    free, part = plan.layout == FREE, context.part(len(values))

    def draw(rng: np.random.Generator) -> Ordered:
        notes = {index: texts.copy() for index, texts in move.notes.items()}
        filled = fill(rng, notes)
        order, propensity = plan.layout.copy(), np.ones(len(values), np.float32)
        order[free], propensity[free] = filled.order, filled.propensity
        if filled.team is None:
            return Ordered(order[part], propensity[part], notes, shown)
        teams = np.full(len(values), NO_TEAM, np.int8)
        teams[np.flatnonzero(free)[: len(filled.team)]] = filled.team
        picks, both = filled.order[: len(filled.team)][filled.team == 1], shown.copy()
        both[picks] = theirs_shown[picks]
        return Ordered(order[part], propensity[part], notes, both, teams[part])

    return draw


class _Filled(NamedTuple):
    """The free places (m,), and whose pick the first of them are."""

    order: Order
    propensity: DoubleArray
    team: Teams | None = None


_Fill = Callable[[np.random.Generator, Notes], _Filled]


def _exploring(
    plan: "_Plan", rule: Exploration, features: FeatureMatrix, bounds: Bounds, values: FloatArray
) -> _Fill:
    """The free items in an order with some chance in it, and the propensities of the places."""
    usual = np.concatenate([best(plan.frame), plan.tail])
    slot = _free_slot(plan.layout, rule.position)
    explorable = (features.exposure <= rule.max_exposure) & ~plan.buried
    # What is explored passes everything behind the slot.
    behind = usual[slot:]
    explorable[behind] &= bounds.may_lead(behind[~plan.buried[behind]], behind)
    lift = Uplift.of(usual, slot, explorable[usual], rule, features)
    share = rule.sampling.share
    draws = Draws(plan.frame, values, rule.sampling) if share > 0 else None
    return lambda rng, notes: _Filled(*explore(usual, lift, draws, share, rng, notes))


def _drafting(plan: "_Plan", other: Order, theirs: Notes) -> _Fill:
    """The free items as two teams draft them. other: the rival's order; theirs: its notes."""
    alike = bool((other == plan.top).all())

    def fill(rng: np.random.Generator, notes: Notes) -> _Filled:
        drafted = team_draft(plan.top, other, rng, plan.frame)
        free = np.concatenate([drafted.order, plan.tail])
        chance = np.concatenate([drafted.propensity, np.ones(len(plan.tail))])
        if alike:
            return _Filled(free, chance)
        for index in drafted.order[drafted.team == 1].tolist():
            notes.pop(index, None)
            if index in theirs:
                notes[index] = theirs[index].copy()
        return _Filled(free, chance, drafted.team)

    return fill


@dataclass(frozen=True, slots=True)
class _Plan:
    """A request's candidates by the rules. top: those that may be placed freely, best first;
    tail: the buried ones behind them; pinned ones are in neither, but in `layout` (n,)."""

    frame: Frame
    top: Order
    tail: Order
    layout: Order
    buried: BoolArray

    def by(self, values: FloatArray) -> Order:
        """`top` as other values (n,) have it; ties keep the order that was given, there as here."""
        order = np.argsort(-values, kind="stable")
        return order[np.isin(order, self.top)]


def _plan(values: FloatArray, move: Moves, rules: Rules, bounds: Bounds) -> _Plan:
    order = np.argsort(-values, kind="stable")  # ties keep the order that was given
    buried, layout = move.buried(), move.layout()
    # Pinned and buried items take no part in chance: the one stays, the other stays down.
    free = order if (layout == FREE).all() else order[~np.isin(order, layout)]
    top, tail = free, free[:0]
    if buried.any():
        top, tail = free[~buried[free]], free[buried[free]]
    frame = Frame.of(layout, move.kinds(), rules.diversity, top, bounds)
    return _Plan(frame, top, tail, layout, buried)


def _as_asked(sort_key: DoubleArray, move: Moves, context: Context) -> Ordered:
    """In the caller's own order, where only a bury moves anything."""
    order = np.argsort(sort_key, kind="stable")
    buried = move.buried()
    order = np.concatenate([order[~buried[order]], order[buried[order]]])
    part = context.part(len(order))
    sure = np.ones(len(order), np.float32)
    return Ordered(order[part], sure[part], move.notes, (-sort_key).astype(np.float32))


def _free_slot(layout: Order, position: int) -> int:
    """How many free places stand before `position` (1-based), or before the next free one."""
    return int(np.count_nonzero(layout[: position - 1] == FREE))
