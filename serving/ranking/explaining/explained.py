"""A slate with what it tells of itself, where a request asks: after its order is made.

The items of the slate, and these alone, go to the model once more, which tells what each family of
columns adds (docs/adr/0055). What comes too late or not at all is left out: reasons then follow
from facts alone. A slate that nobody asks about comes by none of this.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from features.arrays import DoubleArray
from serving.models.columns.families import FAMILIES
from serving.ranking.explaining.contributions import contributions_of, in_score
from serving.ranking.explaining.facts import Facts
from serving.ranking.explaining.phrases import place_without_history
from serving.ranking.explaining.reasons import language_of, reasons
from serving.ranking.explaining.told import RULE, Told, WithoutHistory
from serving.ranking.request import Explain
from serving.ranking.scoring.by_model import ModelScoring
from serving.ranking.slate.because import because_of
from serving.ranking.values import Judged, Known, Resolved, Slate
from serving.shops.exploration import NOTHING_LEFT_TO_CHANCE
from serving.telemetry.stages import Stages


class Ranking(Protocol):
    """How a slate is made. `RankingPipeline` is one."""

    async def judge(self, resolved: Resolved) -> Judged:
        """The scores of a request."""
        ...

    def slate(self, judged: Judged) -> Slate:
        """Scores to the answer."""
        ...


async def explained(
    ranking: Ranking, scoring: ModelScoring, judged: Judged, slate: Slate, reach: float
) -> Slate:
    """The slate with what its request asks to be told; as it is where that is nothing."""
    if slate.context.explain is Explain.NO or len(slate.order) == 0:
        return slate
    resolved = judged.resolved
    if slate.context.query is None:  # else it was asked for
        table, rows = resolved.shop.items.table, resolved.candidates.rows
        because = because_of(table, resolved.evidence, rows, slate.order)
        slate = replace(slate, because=because)
    found = await contributions_of(scoring, judged, slate)
    told = told_of(in_score(found, judged, slate, reach), judged, slate)
    if slate.context.explain is Explain.WITHOUT_HISTORY:
        places = await _without_history(ranking, scoring, judged.resolved)
        language = language_of(slate.context.locale, judged.resolved.shop.language)
        told = {
            index: replace(one, without_history=_placed(places.get(index), language))
            for index, one in told.items()
        }
    return replace(slate, told=told)


def _placed(place: int | None, language: str) -> WithoutHistory | None:
    if place is None:
        return None
    return WithoutHistory(place, place_without_history(language, place))


async def _without_history(
    ranking: Ranking, scoring: ModelScoring, resolved: Resolved
) -> Mapping[int, int]:
    """The place of each candidate, were somebody to ask whom the shop does not know, and nothing
    left to chance; {} where it does not know this one."""
    if not isinstance(resolved.shopper, Known):
        return {}
    # Nobody is shown it, so no floor of exposure may take account of it.
    fixed = {"exploration": NOTHING_LEFT_TO_CHANCE, "floors": ()}
    rules = resolved.assignment.rules.model_copy(update=fixed)
    nobody = replace(
        scoring.of_nobody(resolved),
        context=replace(resolved.context, limit=None, offset=0, explain=Explain.NO),
        assignment=replace(resolved.assignment, rules=rules, teams=None),
        stages=Stages(),  # the answer is not made of it
    )
    slate = ranking.slate(await ranking.judge(nobody))
    return {index: place for place, index in enumerate(slate.order.tolist(), start=1)}


def told_of(found: DoubleArray, judged: Judged, slate: Slate) -> Mapping[int, Told]:
    """By candidate. found: (len(order), 2 + families), see `in_score`."""
    facts = Facts(judged.resolved)
    language = language_of(slate.context.locale, judged.resolved.shop.language)
    known = np.isfinite(found[:, 0])
    apart = found[:, 1:-1] - (found[known, 1:-1].mean(axis=0) if known.sum() > 1 else 0.0)
    told = {}
    for place, index in enumerate(slate.order.tolist()):
        weights = None
        if known[place]:
            adds = found[place, 1:-1]
            weights = {
                family: float(apart[place, column])
                for column, family in enumerate(FAMILIES)
                if adds[column] > 0
            }
        true = list(facts.of(index, slate.because.get(index), slate.reminder))
        by_name = dict(zip((*FAMILIES, RULE), found[place, 1:].tolist(), strict=True))
        told[index] = Told(
            reasons(true, slate.notes.get(index, ()), weights, language),
            float(found[place, 0]) if known[place] else None,
            {str(name): value for name, value in by_name.items()} if known[place] else None,
        )
    return told
