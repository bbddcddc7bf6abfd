"""Because you bought X: the item of the shopper's history that speaks most for an item."""

from collections.abc import Iterator, Sequence

import numpy as np

from features.arrays import DoubleArray, RowArray
from features.behavior.fold import AFFINITY_WEIGHT
from features.behavior.history import ItemHistory
from features.behavior.state_rows import AnyState
from features.catalog.table import ItemTable
from features.events.event import EventType
from serving.ranking.explaining.told import Because
from serving.ranking.values import Evidence
from serving.types import Cause

_LEAST_WEIGHT = 0.01  # of a pair that shoppers took (EASE): one that is weaker is chance
_LEAST_TOGETHER = 0.05  # of a pair of a basket (cosine): below, one was in all baskets, as bananas
_LEAST_WORDS = 0.5  # share of the words of two items that both have
_READ = 32  # items of a history whose words are compared


def because_of(
    table: ItemTable, evidence: Evidence, rows: RowArray, order: RowArray
) -> dict[int, Because]:
    """What speaks most for each candidate of `order`; those for which nothing does are left out.

    rows: int64 (n,), of all candidates; order: indices of them. What shoppers took together counts
    first (the neighbour tables), by how much the item counts in this shopper's history; then what
    reads alike in the same category: of another, "National Brand, 12 oz" may be all that they
    share. An item never speaks for itself.
    """
    done: dict[int, Cause] = {}
    share = np.zeros(len(table) + 1)  # -1, no source, reads the last
    for row, weight, cause in _history(evidence):
        if row >= 0 and not table.removed[row]:
            share[row] = max(share[row], weight)
            done.setdefault(row, cause)
    best_read = sorted(done, key=lambda row: -share[row])[:_READ]
    words = {row: _words(table, row) for row in best_read}
    found: dict[int, Because] = {}
    for index in order.tolist():
        row = int(rows[index])
        source = None
        if row >= 0 and done:
            source = _together(table, share, row)
            if source is None:
                category = table.items[row].category
                like = {r: w for r, w in words.items() if table.items[r].category == category}
                source = _alike(like, _words(table, row), row)
        if source is not None:
            title = table.items[source].title
            found[index] = Because(table.item_ids[source], title, done[source])
    return found


def _history(evidence: Evidence) -> Iterator[tuple[int, float, Cause]]:
    """Rows, shares and what was done, the strongest first: it is what is told of an item."""
    histories = (evidence.session_history, evidence.user_history)
    for history in histories:
        weights = history.bought_weights / (history.bought_weights.sum() or 1.0)
        for row, weight in zip(history.bought.tolist(), weights.tolist(), strict=True):
            yield row, weight, Cause.BOUGHT
    recent = []
    for history in histories:
        weights = history.recent_weights / (history.recent_weights.sum() or 1.0)
        for row, weight, strength in zip(
            history.recent.tolist(), weights.tolist(), history.strengths.tolist(), strict=True
        ):
            recent.append((row, weight, cause(strength)))
    yield from sorted(recent, key=lambda entry: list(Cause).index(entry[2]))


def done_with(states: Sequence[AnyState], table: ItemTable) -> dict[int, Cause]:
    """By row of the items that `states` keep: the most that was done with each."""
    done: dict[int, Cause] = {}
    for history in [ItemHistory.of(state, table) for state in states]:
        done |= dict.fromkeys(history.bought.tolist(), Cause.BOUGHT)
        for row, strength in zip(history.recent.tolist(), history.strengths.tolist(), strict=True):
            told = cause(strength)
            done[row] = min(done.get(row, told), told, key=list(Cause).index)
    return done


def cause(strength: float) -> Cause:
    """What was done with a recent item, by the strength that its state keeps of it."""
    if strength >= AFFINITY_WEIGHT[EventType.PURCHASE]:
        return Cause.BOUGHT
    return Cause.CART if strength >= AFFINITY_WEIGHT[EventType.ADD_TO_CART] else Cause.VIEWED


def _together(table: ItemTable, share: DoubleArray, row: int) -> int | None:
    """The source of a neighbour table that counts most."""
    best, most = None, 0.0
    for sources, weights, least in (
        (table.neighbors, table.neighbor_weights, _LEAST_WEIGHT),
        (table.basket_neighbors, table.basket_neighbor_weights, _LEAST_TOGETHER),
    ):
        if row >= len(sources) or sources.shape[1] == 0:
            continue
        spoken = np.where(weights[row] >= least, weights[row] * share[sources[row]], 0.0)
        place = int(spoken.argmax())
        if spoken[place] > most and sources[row, place] != row:
            best, most = int(sources[row, place]), float(spoken[place])
    return best


def _alike(words: dict[int, frozenset[int]], own: frozenset[int], row: int) -> int | None:
    """The item whose words are most like `own`; of two, the one that counts more."""
    best, most = None, _LEAST_WORDS
    for other, its in words.items():
        either = len(own | its)
        alike = len(own & its) / either if either else 0.0
        if other != row and (alike > most or (best is None and alike == most)):
            best, most = other, alike
    return best


def _words(table: ItemTable, row: int) -> frozenset[int]:
    return frozenset(table.words[row].tolist()) - {-1}
