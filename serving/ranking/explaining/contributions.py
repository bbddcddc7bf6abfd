"""What each family of columns adds to the scores of a slate, in units of the answered score."""

import numpy as np

from features.arrays import DoubleArray, FloatArray
from serving.errors import RankingError
from serving.models.columns.families import FAMILIES, Family
from serving.ranking.scoring.by_model import ModelScoring
from serving.ranking.slate.moves import Moves
from serving.ranking.values import Judged, Slate
from serving.types import Route

_TOLERANCE = 1e-4  # of a score that another version, or another moment, has answered
# The signals of the rules (cold_start.py) by family.
_SIGNALS = {
    "popularity": Family.POPULARITY,
    "popularity_in_category": Family.POPULARITY,
    "trend": Family.POPULARITY,
    "newness": Family.NEWNESS,
    "query_match": Family.QUERY_MATCH,
    "retrieval": Family.QUERY_MATCH,
    "session_intent": Family.LOOKED_AT_LATELY,
    "similar_shoppers": Family.TASTE,
    "taste": Family.TASTE,
    "bought_before": Family.BOUGHT_BEFORE,
}


async def contributions_of(scoring: ModelScoring, judged: Judged, slate: Slate) -> FloatArray:
    """The baseline's score and what each family adds to the scores (before rules and relevance) of
    the slate's items, (len(order), 1 + families); NaN where the score is no such sum."""
    out = np.full((len(slate.order), 1 + len(FAMILIES)), np.nan, np.float32)
    resolved = judged.resolved
    if slate.teams is not None or resolved.candidates.sort_key is not None:
        return out  # of two arms, each item has a score of its own scale; or of none
    if judged.route is not Route.MODEL:
        out[:] = 0.0
        for column, name in enumerate(judged.scores.part_names):
            place = 1 + FAMILIES.index(_SIGNALS[name])
            out[:, place] += judged.scores.parts[slate.order, column]
        return out
    by_model = np.isfinite(judged.scores.parts[slate.order]).any(axis=1)
    rows = slate.order[by_model]
    if len(rows) == 0:
        return out
    try:
        reply = await scoring.ask(
            resolved,
            resolved.features.take(rows),
            scoring.budget_s(resolved.context),
            resolved.assignment.model_version,
            explained=True,
        )
    except RankingError:
        return out
    found = reply.scores.contributions
    if found is not None:
        own = np.abs(reply.scores.values - judged.scores.values[rows]) <= _TOLERANCE
        out[by_model] = np.where(own[:, None], found, np.nan)
    return out


def in_score(found: FloatArray, judged: Judged, slate: Slate, reach: float) -> DoubleArray:
    """Contributions in units of the answered score, and what the rules lift, (n, 2 + families).

    With a query the score is a curve of the preference and of relevance (bounds.py). What moves
    along a curve of a sum is shared out in proportion to the parts of the sum: the integral of the
    gradient on the straight way from the baseline (integrated gradients). Relevance itself is the
    query's.
    """
    resolved = judged.resolved
    relevance, scores = slate.candidates.relevance, judged.scores.values
    told = np.concatenate([found, np.zeros((len(found), 1))], axis=1).astype(np.float64)
    if relevance is None:
        return told
    move = Moves(
        resolved.shop.items.table, resolved.assignment.rules, resolved.context,
        resolved.candidates, resolved.features, resolved.evidence.asking,
    )  # fmt: skip
    boosted = move.boosted(scores, slate.owed)
    told[:, -1] = (boosted - scores)[slate.order]
    spread = float(boosted.std()) or 1.0
    start = (told[:, 0] - float(boosted.mean())) / spread
    way = told[:, 1:].sum(axis=1) / spread
    rise = _share(start + way) - _share(start)
    still = np.abs(way) < 1e-9
    slope = np.where(still, _share(start) * (1 - _share(start)), rise / np.where(still, 1.0, way))
    told[:, 1:] *= (reach * slope / spread / (1 + reach))[:, None]
    told[:, 0] = reach * _share(start) / (1 + reach)
    told[:, 1 + FAMILIES.index(Family.QUERY_MATCH)] += relevance[slate.order] / (1 + reach)
    return told


def _share(value: DoubleArray) -> DoubleArray:
    share: DoubleArray = 1 / (1 + np.exp(-value))
    return share
