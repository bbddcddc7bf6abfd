"""Whose pick each item shown was, and what shoppers did with it, from the shop's own log.

An event counts at the place of the ranking that it names. One that names none counts where its item
was last shown to the user, or else the session, in an interleaved ranking before it.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import NamedTuple

import numpy as np

from features.arrays import DoubleArray, IntArray, LongArray
from features.events.event import BehaviorEvent, EventType
from features.events.exposure import Exposure
from features.events.log import RankingRecord
from features.objective import Objective, label
from serving.experiments.report.shoppers import ExperimentDataError
from serving.experiments.statistics.interleaving import credits
from serving.shops.experiments import INTERLEAVED, Experiment

_ShownTo = tuple[str, str | None, str | None]  # user or session, the pseudonym, the item


class Deed(NamedTuple):
    """What a shopper did at a place, by its number. at_s: unix seconds."""

    at_s: float
    place: int
    kind: EventType
    reward: float


@dataclass(frozen=True, slots=True, eq=False)
class Picks:
    """What the log holds of an interleave.

    arms: of the teams, control first; rankings: of those who are in it, interleaved or not;
    first_s: of each team, when the rankings were made in which it picked first, sorted; shopper,
    team: (p,), of each place of the interleaved ones; deeds: by time
    """

    arms: tuple[str, str]
    rankings: int
    first_s: tuple[DoubleArray, DoubleArray]
    shopper: LongArray
    team: IntArray
    deeds: list[Deed]

    @property
    def interleaved(self) -> int:
        """How many rankings have picks of both."""
        return sum(len(times) for times in self.first_s)

    def credit(self, ends_s: Sequence[float]) -> Iterator[DoubleArray]:
        """Credit by shopper and team, (n, 2), as it was at each of `ends_s`, which ascend.

        Of a place it is the label of its item: a purchase, its cart and its click are one wish.
        """
        reward = np.zeros(len(self.team))
        earned: dict[int, list[float]] = defaultdict(list)
        done = 0
        for end_s in ends_s:
            while done < len(self.deeds) and self.deeds[done].at_s <= end_s:
                deed = self.deeds[done]
                earned[deed.place].append(deed.reward)
                reward[deed.place] = label(earned[deed.place])
                done += 1
            yield credits(self.shopper, self.team, reward)


def picks_of(
    experiment: Experiment,
    rankings: Iterable[RankingRecord],
    events: Iterable[BehaviorEvent],
    objective: Objective,
    until_s: float,
) -> Picks:
    """What the log knows of the experiment as it is drawn now (its `bucket_version`) until then.

    Raises ExperimentDataError when nobody was in it, or its arms were others.
    """
    arms = (experiment.arms[0].key, experiment.arms[1].key)
    seen = _Seen(experiment, arms)
    for ranking in rankings:
        if ranking.at_s <= until_s:
            seen.add(ranking)
    if not seen.rankings:
        raise ExperimentDataError(f"{experiment.key}: the log holds no interleaved ranking of it")
    happened = (event for event in events if event.at_s <= until_s)
    deeds = [
        Deed(event.at_s, place, event.type, objective.reward(event, seen.at_s[place]))
        for event in happened
        if (place := seen.place(event)) is not None
    ]
    return Picks(
        arms, seen.rankings, (_sorted(seen.first_s[0]), _sorted(seen.first_s[1])),
        np.array(seen.shopper, np.int64), np.array(seen.team, np.int32),
        sorted(deeds, key=attrgetter("at_s")),
    )  # fmt: skip


class _Seen:
    """The places of interleaved rankings, numbered as they are met."""

    def __init__(self, experiment: Experiment, arms: tuple[str, str]) -> None:
        self._drawn = (experiment.key, INTERLEAVED, experiment.bucket_version)
        self._arms = arms
        self._of_ranking: dict[tuple[str, str | None], int] = {}
        self._shown_to: dict[_ShownTo, list[tuple[float, int]]] = defaultdict(list)
        self._known: set[str] = set()
        self._numbers: dict[str, int] = {}  # of shoppers
        self.rankings = 0
        self.first_s: tuple[list[float], list[float]] = ([], [])
        self.shopper: list[int] = []
        self.team: list[int] = []
        self.at_s: list[float] = []

    def add(self, ranking: RankingRecord) -> None:
        """A ranking, of this experiment or not."""
        self._known.add(ranking.ranking_id)
        drawn = [e for e in ranking.exposures if _drawn(e) == self._drawn]
        if not drawn:
            return
        self.rankings += 1
        if ranking.teams is None:
            return
        if ranking.arms != self._arms:
            raise ExperimentDataError(
                f"{self._drawn[0]}: the log has its arms as {' and '.join(ranking.arms)}, the "
                f"rules as {' and '.join(self._arms)}; other arms need another bucket_version"
            )
        number = self._numbers.setdefault(drawn[0].hash_value, len(self._numbers))
        teams = ranking.teams.tolist()
        first = next((team for team in teams if team >= 0), None)
        if first is not None:
            self.first_s[first].append(ranking.at_s)
        for item_id, team in zip(ranking.item_ids, teams, strict=True):
            place = len(self.team)
            self.shopper.append(number)
            self.team.append(team)
            self.at_s.append(ranking.at_s)
            self._of_ranking[ranking.ranking_id, item_id] = place
            for key in _shown_to(ranking.user_id, ranking.session_id, item_id):
                insort(self._shown_to[key], (ranking.at_s, place))

    def place(self, event: BehaviorEvent) -> int | None:
        """Where it counts; None: at no place of this experiment."""
        if event.ranking_id in self._known:
            return self._of_ranking.get((event.ranking_id, event.item_id))
        for key in _shown_to(event.user_id, event.session_id, event.item_id):
            shown = self._shown_to.get(key, [])
            before = bisect_right(shown, event.at_s, key=itemgetter(0))
            if before:
                return shown[before - 1][1]
        return None


def _shown_to(user_id: str | None, session_id: str | None, item_id: str | None) -> list[_ShownTo]:
    named = (("user", user_id), ("session", session_id))
    return [(kind, name, item_id) for kind, name in named if name]


def _drawn(exposure: Exposure) -> tuple[str, str, int]:
    return exposure.experiment, exposure.variant, exposure.bucket_version


def _sorted(times: list[float]) -> DoubleArray:
    return np.sort(np.array(times, np.float64))
