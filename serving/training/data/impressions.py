"""Cases of a log that says what was shown: the rankings as they were seen, with graded labels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.catalog.table import ItemTable
from features.datasets.event_rows import behavior_events
from features.datasets.format import Dataset
from features.objective import USUAL, Objective, label
from serving.training.data.cases import Case
from serving.training.data.lexical import Lexical


@dataclass(frozen=True, slots=True)
class Shown:
    """One ranking as it was seen, in order of position.

    A candidate's label is what the objective makes of its events, 0 when it was only seen.
    """

    ranking_id: str
    case: Case
    positions: npt.NDArray[np.int64]  # 1-based


def shown_slates(dataset: Dataset, items: ItemTable, objective: Objective = USUAL) -> list[Shown]:
    """The log's rankings in order of time; each case stops before its first event.

    The log does not hold the score with which an item was retrieved, and the order shown would
    bring in the position bias. So a search's retrieval score is BM25 over titles, as in serving.
    """
    lexical = Lexical(items)
    events = dataset.events
    kinds = events["type"].to_numpy()
    rankings = events["ranking_id"].to_numpy()
    item_rows = items.rows(events["item_id"].tolist())
    members: dict[str, list[int]] = {}
    for number in np.flatnonzero((kinds == "impression") & (rankings != "")).tolist():
        if item_rows[number] >= 0:
            members.setdefault(rankings[number], []).append(number)
    times = events["at"].to_numpy(np.float64)
    shown_s = {ranking: float(times[min(numbers)]) for ranking, numbers in members.items()}
    rewards: dict[tuple[str, int], list[float]] = {}
    answers = np.flatnonzero((kinds != "impression") & (rankings != ""))
    for number, event in zip(answers.tolist(), behavior_events(events.iloc[answers]), strict=True):
        ranking = rankings[number]
        if ranking in shown_s:
            reward = objective.reward(event, shown_s[ranking])
            rewards.setdefault((ranking, int(item_rows[number])), []).append(reward)
    places = events["position"].to_numpy(np.int64)
    users, sessions = events["user_id"].to_numpy(), events["session_id"].to_numpy()
    queries = events["query"].to_numpy()
    out = []
    for ranking, numbers in members.items():
        numbers = sorted(numbers, key=lambda number: places[number])
        first = min(numbers)
        rows = item_rows[numbers]
        labels = np.array(
            [label(rewards.get((ranking, row), ())) for row in rows.tolist()], np.float32
        )
        case = Case(
            int(np.searchsorted(times, times[first])), float(times[first]),
            users[first], sessions[first], queries[first],
            rows=rows, labels=labels, weights=np.ones(len(rows), np.float32),
            retrieval_score=lexical.scores(queries[first], rows) if queries[first] else None,
        )  # fmt: skip
        out.append(Shown(ranking, case, places[numbers]))
    return sorted(out, key=lambda shown: shown.case.position)
