"""Scores by the two arms of an interleaved experiment, at once and within the one budget.

Both arms, whole and by the versions they name, or neither: a slate of what only one of them did in
time would favour that one.
"""

import asyncio
from dataclasses import replace
from typing import NamedTuple

from serving.errors import RankingError
from serving.ranking.scoring.by_model import ModelScoring
from serving.ranking.slate.moves import Order
from serving.ranking.values import Resolved
from serving.types import Reason, Scores


class Scored(NamedTuple):
    """A request as the arm has it that leads (`resolved`), and its scores. reason: why these, or
    the other arm's, are not the named version's of all candidates; rival: the other arm's scores,
    where the two are to share the slate."""

    resolved: Resolved
    scores: Scores
    reason: Reason | None
    rival: Scores | None = None


async def scored(scoring: ModelScoring, resolved: Resolved) -> Scored:
    """By the arm, or by both; raises a RankingError when none has an answer."""
    teams = resolved.assignment.teams
    if teams is None:
        return Scored(resolved, *await scoring.score(resolved))
    if teams[0].model_version == teams[1].model_version:  # they differ in rules: one call is both's
        scores, reason = await scoring.score(resolved)
        return Scored(resolved, scores, reason, scores if reason is None else None)
    each = [replace(resolved, assignment=resolved.assignment.led_by(team)) for team in teams]
    tried = await asyncio.gather(*(_attempt(scoring, one) for one in each))
    answers = [found for found in tried if isinstance(found, Scored)]
    if not answers:
        raise next(found for found in tried if isinstance(found, RankingError))
    whole = [found for found in answers if found.reason is None]
    if len(whole) == len(teams):
        return whole[0]._replace(rival=whole[1].scores)
    reasons = (
        found.reason if isinstance(found, Scored) else Reason.of(found.code) for found in tried
    )
    missed = next(reason for reason in reasons if reason is not None)
    return whole[0]._replace(reason=missed) if whole else answers[0]


def shared(first: Scores, second: Scores, picks: Order) -> Scores:
    """The scores of one slate of two arms: of `picks` the second's, of all else the first's."""
    values, parts = first.values.copy(), first.parts.copy()
    values[picks], parts[picks] = second.values[picks], second.parts[picks]
    versions = dict.fromkeys((first.model_version, second.model_version))
    named = "+".join(version for version in versions if version is not None)
    return replace(first, values=values, parts=parts, model_version=named or None)


async def _attempt(scoring: ModelScoring, resolved: Resolved) -> Scored | RankingError:
    try:
        return Scored(resolved, *await scoring.score(resolved))
    except RankingError as error:
        return error
