"""Our own log as slates: rankings with their propensities, and what their shoppers did.

A ranking counts when it left something to chance: one that was not explored says nothing of
another order. Whether a request is explored must itself not depend on who asks. An interleaved
ranking does not count: its places hold what one of two rankers wanted, its scores are of both.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from features.events.event import BehaviorEvent
from features.events.log import RankingRecord
from serving.experiments.ope.policies import PlackettLuce
from serving.experiments.ope.reward_model import cross_fitted
from serving.experiments.ope.slates import LoggedSlates, OpeRefusedError, Propensities
from serving.experiments.ope.support import NOT_EXPLORED

Scores = Mapping[tuple[str, str], float]  # of another ranker, by (ranking_id, item_id)


@dataclass(frozen=True, slots=True, eq=False)
class OwnLog:
    """Explored rankings, (n, K); `values`: what the reward model gives an item at any place."""

    ranking_ids: tuple[str, ...]
    item_ids: tuple[tuple[str, ...], ...]
    shopper: LongArray  # (n,)
    shown: BoolArray
    reward: DoubleArray
    logged: DoubleArray
    scores: DoubleArray
    values: DoubleArray
    read: int  # rankings, explored or not

    @property
    def fixed(self) -> BoolArray:
        """Places at which nothing was left to chance: pins, or places above the sampled ones."""
        fixed: BoolArray = self.logged == 1.0
        return fixed

    def slates(
        self,
        policy: PlackettLuce,
        kind: Propensities,
        depth: int,
        scores: Scores | None = None,
        seed: int = 0,
    ) -> LoggedSlates:
        """The log with `policy` as the target, its first `depth` places.

        Without `scores` it orders by the logged scores, and what the log fixed stays where it was;
        with `scores`, every place is the target's to fill. Raises OpeRefusedError when a score is
        missing.
        """
        by = self.scores if scores is None else self._other(scores)
        fixed = self.fixed if scores is None else np.zeros_like(self.shown)
        # Propensities of one kind do not need the places behind; those are still candidates.
        if kind is Propensities.CONDITIONAL:
            chances = policy.conditional(by, self.shown, fixed, self.values)
        else:
            rng = np.random.default_rng(seed)
            chances = policy.marginal(by, self.shown, fixed, self.values, rng)
        examined = self._examined()
        return LoggedSlates(
            self.shopper, self.shown, self.reward, self.logged, chances.propensity, kind,
            predicted=examined * self.values, expected=examined * chances.expected,
        ).cut(depth)  # fmt: skip

    def _examined(self) -> DoubleArray:
        """By place (K,), how much more or less than predicted is earned there."""
        earned = np.where(self.shown, self.reward, 0.0).sum(axis=0)
        predicted = np.where(self.shown, self.values, 0.0).sum(axis=0)
        ratio: DoubleArray = np.divide(
            earned, predicted, out=np.zeros_like(earned), where=predicted > 0
        )
        return ratio

    def _other(self, scores: Scores) -> DoubleArray:
        out: DoubleArray = np.zeros(self.shown.shape)
        for row, (ranking, items) in enumerate(zip(self.ranking_ids, self.item_ids, strict=True)):
            for place, item in enumerate(items):
                if (ranking, item) not in scores:
                    raise OpeRefusedError(f"scores: ranking {ranking!r} has none for item {item!r}")
                out[row, place] = scores[ranking, item]
        return out


def own_log(
    rankings: Iterable[RankingRecord],
    events: Iterable[BehaviorEvent],
    rewards: Mapping[str, float],
    route: str | None = "model",
    variant: str | None = None,
) -> OwnLog:
    """Join explored rankings with their events; raises OpeRefusedError when there is none.

    rewards: by event type. Each type counts once for an item of a ranking, however often told.
    """
    read, kept = 0, []
    for ranking in rankings:
        if (route and ranking.route != route) or (variant and ranking.variant != variant):
            continue
        read += 1
        if ranking.teams is None and (ranking.propensities < 1).any():
            kept.append(ranking)
    if read == 0:
        raise OpeRefusedError(f"no ranking of route {route!r} and variant {variant!r} in the log")
    if not kept:
        raise OpeRefusedError(NOT_EXPLORED)
    kept = _of_one_model(kept)
    shape = (len(kept), max(len(ranking.item_ids) for ranking in kept))
    shown = np.zeros(shape, bool)
    logged, scores = np.ones(shape), np.zeros(shape)
    for row, ranking in enumerate(kept):
        n = len(ranking.item_ids)
        if len(ranking.propensities) != n or len(ranking.scores) != n:
            raise OpeRefusedError(
                f"ranking {ranking.ranking_id!r}: {n} items, {len(ranking.propensities)} "
                f"propensities and {len(ranking.scores)} scores"
            )
        shown[row, :n] = True
        logged[row, :n], scores[row, :n] = ranking.propensities, ranking.scores
    reward = _rewards(kept, events, rewards, shape)
    shopper = _shoppers(kept)
    values = np.zeros(shape)
    rows = np.concatenate([np.asarray(ranking.features, np.float64) for ranking in kept])
    if rows.shape[1]:
        owner = np.repeat(shopper, shown.sum(axis=1))
        values[shown] = cross_fitted(rows, reward[shown], owner)
    return OwnLog(
        tuple(ranking.ranking_id for ranking in kept),
        tuple(ranking.item_ids for ranking in kept),
        shopper, shown, reward, logged, scores, values, read,
    )  # fmt: skip


def _of_one_model(rankings: list[RankingRecord]) -> list[RankingRecord]:
    """Those with the most common number of features: columns of two models do not fit together."""
    widths = Counter(ranking.features.shape[-1] for ranking in rankings)
    width = widths.most_common(1)[0][0]
    return [ranking for ranking in rankings if ranking.features.shape[-1] == width]


def _rewards(
    rankings: list[RankingRecord],
    events: Iterable[BehaviorEvent],
    rewards: Mapping[str, float],
    shape: tuple[int, int],
) -> DoubleArray:
    place = {
        (ranking.ranking_id, item): (row, column)
        for row, ranking in enumerate(rankings)
        for column, item in enumerate(ranking.item_ids)
    }
    out: DoubleArray = np.zeros(shape)
    told: set[tuple[int, int, str]] = set()
    for event in events:
        weight = rewards.get(event.type.value)
        where = place.get((event.ranking_id or "", event.item_id or ""))
        if weight is None or where is None or (*where, event.type.value) in told:
            continue
        told.add((*where, event.type.value))
        out[where] += weight
    return out


def _shoppers(rankings: list[RankingRecord]) -> LongArray:
    """The user, else the session, else the ranking alone, numbered from 0."""
    codes: dict[str, int] = {}
    names = [
        f"user {ranking.user_id}" if ranking.user_id
        else f"session {ranking.session_id}" if ranking.session_id
        else f"ranking {ranking.ranking_id}"
        for ranking in rankings
    ]  # fmt: skip
    return np.array([codes.setdefault(name, len(codes)) for name in names], np.int64)
