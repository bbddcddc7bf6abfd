"""Shelves that ask the same of the model, as one request: what several have is scored once."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.arrays import FloatArray, RowArray
from serving.ranking.request import seeds_of
from serving.ranking.values import Candidates, FeatureMatrix, Judged, Resolved
from serving.types import Scores


@dataclass(frozen=True, slots=True)
class Union:
    """whole: of all items of the shelves, each once; places: of each shelf's candidates in it."""

    whole: Resolved
    places: list[RowArray]

    def apart(self, judged: Judged, shelves: Sequence[Resolved]) -> Iterator[Judged]:
        """Each shelf with its share of the scores, and with the features that these are of."""
        for shelf, places in zip(shelves, self.places, strict=True):
            features = replace(self.whole.features.take(places), looks=shelf.features.looks)
            own = replace(shelf, features=features, stages=judged.resolved.stages)
            yield judged._replace(resolved=own, scores=taken(judged.scores, places))


def alike(shelves: Iterable[tuple[int, Resolved]]) -> list[list[int]]:
    """The numbers of the shelves, those together that are of one version, query and evidence.

    An item's features are then the same on each of them but for `retrieval_score`.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for number, shelf in shelves:
        seeds = tuple(seeds_of(shelf.source).items())
        groups[shelf.assignment.model_version, shelf.context.query, seeds].append(number)
    return list(groups.values())


def united(shelves: Sequence[Resolved]) -> Union:
    """One request of all their items; where several have one, its features are the first's."""
    rows = np.concatenate([shelf.candidates.rows for shelf in shelves])
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    ends = np.cumsum([len(shelf.candidates) for shelf in shelves])[:-1]
    item_ids = [item_id for shelf in shelves for item_id in shelf.candidates.item_ids]
    scores = np.concatenate([shelf.candidates.retrieval_score for shelf in shelves])
    candidates = Candidates(item_ids, rows, scores).take(first)
    features = _joined([shelf.features for shelf in shelves]).take(first)
    whole = replace(shelves[0], candidates=candidates, features=features)
    return Union(whole, np.split(inverse, ends))


def without(judged: Judged, shown: set[str]) -> Judged:
    """What is left of it when none of `shown` may come again."""
    item_ids = judged.resolved.candidates.item_ids
    left = np.array([item_id not in shown for item_id in item_ids], bool)
    if left.all():
        return judged
    places = np.flatnonzero(left)
    resolved = judged.resolved
    return judged._replace(
        resolved=replace(
            resolved,
            candidates=resolved.candidates.take(places),
            features=resolved.features.take(places),
        ),
        scores=taken(judged.scores, places),
        rival=None if judged.rival is None else taken(judged.rival, places),
    )


def taken(scores: Scores, places: RowArray) -> Scores:
    """Only those of the candidates at `places`."""
    return replace(scores, values=scores.values[places], parts=scores.parts[places])


def _joined(parts: Sequence[FeatureMatrix]) -> FeatureMatrix:
    return FeatureMatrix(
        rows=np.concatenate([part.rows for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        category=np.concatenate([part.category for part in parts]),
        brand=np.concatenate([part.brand for part in parts]),
        exposure=np.concatenate([part.exposure for part in parts]),
        prior=_prior([part.prior for part in parts]),
    )


def _prior(parts: Sequence[FloatArray | None]) -> FloatArray | None:
    """Of one shop: all have one, but for the instant at which it comes or goes."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None
