"""Why an item stands where it stands."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from features.behavior.matrix import FEATURE_NAMES
from serving.ranking.explaining.told import NOTHING_TOLD, Because, Told
from serving.ranking.request import Explain
from serving.ranking.slate.interleave import NO_TEAM
from serving.ranking.values import Slate
from serving.search.relevance import COLUMNS, Matches


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one item of a slate.

    text_match: cosine with the query or the recent items, None = nothing to compare;
    relevance: R of the query and the item; match: what it follows from, by name; both None without
    a query;
    parts: what the score is the sum of; features: the known ones, where they were asked for;
    rules: that moved the item;
    because: the item of the shopper's history that speaks most for it, if one does;
    drafted_by: the arm whose pick it is, where two share the slate; the score is then that arm's;
    user_context: words of the request's sentence that the item meets; None: it brought none
    told: reasons, contributions, and the place without history
    """

    known_item: bool
    text_match: float | None
    relevance: float | None
    match: dict[str, float] | None
    parts: dict[str, float]
    features: dict[str, float]
    rules: list[str]
    because: Because | None = None
    drafted_by: str | None = None
    user_context: list[str] | None = None
    told: Told = NOTHING_TOLD

    def as_dict(self) -> dict[str, Any]:
        """By name; `dataclasses.asdict` copies all 40 numbers, for ten times as long."""
        told = self.told
        return {
            "reasons": list(told.reasons),
            "baseline": told.baseline,
            "contributions": told.contributions,
            "without_history": told.without_history and asdict(told.without_history),
            "known_item": self.known_item,
            "text_match": self.text_match,
            "relevance": self.relevance,
            "match": self.match,
            "parts": self.parts,
            "features": self.features,
            "rules": self.rules,
            "because": self.because and self.because.as_dict(),
            "drafted_by": self.drafted_by,
            "user_context": self.user_context,
        }


def explain(slate: Slate, place: int) -> Explanation:
    """Of the item at `place` of the slate, from 0."""
    index = int(slate.order[place])
    parts = _known(slate.scores.part_names, slate.scores.parts[index].tolist())
    matches = slate.candidates.matches
    raw = slate.context.explain in (Explain.FEATURES, Explain.WITHOUT_HISTORY)
    return Explanation(
        known_item=bool(slate.features.rows[index] >= 0),
        text_match=parts.pop("text", None),  # a cosine, not a part of the sum
        relevance=None if matches is None else float(matches.values[index]),
        match=None if matches is None else _match(matches, index),
        parts=parts,
        features=_known(FEATURE_NAMES, slate.features.values[index].tolist()) if raw else {},
        rules=slate.notes.get(index, []),
        because=slate.because.get(index),
        drafted_by=_drafted_by(slate, place),
        user_context=_met(slate, index),
        told=slate.told.get(index, NOTHING_TOLD),
    )


def _match(matches: Matches, index: int) -> dict[str, float]:
    found = _known(COLUMNS, matches.columns[index].tolist())
    if matches.wanting_all is not None:  # relevance that it loses by what the query does not want
        found["unwanted"] = float(matches.wanting_all[index] - matches.values[index])
    return found


def _drafted_by(slate: Slate, place: int) -> str | None:
    if slate.teams is None or slate.teams[place] == NO_TEAM:
        return None
    return slate.arms[int(slate.teams[place])]


def _met(slate: Slate, index: int) -> list[str] | None:
    understood = slate.context.understood
    if understood is None:
        return None
    notes = slate.notes.get(index, [])
    lifting = {
        b.reason for b in slate.context.leanings if f"boost {b.lift:+g}: {b.reason}" in notes
    }
    return understood.held + [w.words for w in understood.leanings if w.reason in lifting]


def _known(names: tuple[str, ...], values: list[float]) -> dict[str, float]:
    return {name: value for name, value in zip(names, values, strict=True) if math.isfinite(value)}
