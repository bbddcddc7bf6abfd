"""Query or shopper to candidates, over the lexical and the dense index of the catalogue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, FloatArray, RowArray
from features.behavior.history import ItemHistory, neighbor_score
from features.behavior.matrix import Shopper
from features.behavior.state import BehaviorState
from features.catalog.counters import ItemCounters
from features.catalog.table import ItemTable
from serving.search.attributes import AttributeIndex
from serving.search.dense import DenseIndex
from serving.search.filters import Filters, allowed
from serving.search.fusion import WeightedList, fused
from serving.search.matcher import Matcher
from serving.search.relevance import Least, Matches, RelevanceModels, usual_models
from serving.search.words.analysis import Analyzer
from serving.search.words.synonyms import Meaning

_DEPTH = 400  # places of each list that take part
_SEARCH_DEPTH = 200  # the same of a search: each is matched with the query
_FILTERED_DEPTH = 4_000  # the same when filters will take many of them away
_FEW = 2_000  # items that filters leave, of which each is matched with the query
_NEAREST = 5  # told of when nothing is relevant enough
_CATEGORY_REACH = 10_000  # of the most popular, when a category is looked for


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Candidates, best first. rows: int64 (n,); score: float32 (n,); matches: None: no query.

    below: rows (any,) that came nearest among those that are not relevant enough
    """

    rows: RowArray
    score: FloatArray
    matches: Matches | None = None
    below: tuple[tuple[int, float], ...] = ()


class IndexedItems(Protocol):
    """The catalogue of a replica, as far as retrieval reads it."""

    @property
    def table(self) -> ItemTable: ...
    @property
    def counters(self) -> ItemCounters: ...


class VectorSource(Protocol):
    """Encodes item texts for the dense index. Rows of zeros stay out of it."""

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors (n, VECTOR_SIZE), zeros for an empty text.

        Raises a RankingError when the encoder is down.
        """
        ...


class Retrieval:
    """The indexes. One thread writes (`update`), others read.

    analyzer: of the catalogue's language, English by default; models: of relevance, that go
    with the encoder in use, by default the English one
    """

    def __init__(
        self,
        items: IndexedItems,
        source: VectorSource,
        analyzer: Analyzer | None = None,
        models: RelevanceModels | None = None,
        synonyms: Iterable[Meaning] = (),
    ) -> None:
        self._items = items
        self._source = source
        self._models = models or usual_models()
        self._dense = DenseIndex()
        self._matcher = Matcher(analyzer or Analyzer(), self._dense, self._models.items, synonyms)
        self._attributes = AttributeIndex()
        self._popular: RowArray = np.zeros(0, np.int64)
        self._fresh: RowArray = np.zeros(0, np.int64)

    def update(self, rows: RowArray) -> None:
        """Index new or changed items; a row that is gone leaves both indexes.

        Raises a RankingError when the encoder is down: then the words are indexed all the same.
        """
        self.update_words(rows)
        self.update_vectors(rows)

    def update_words(self, rows: RowArray) -> None:
        """Bring what is found by words, codes and attributes up to date; vectors are awaited."""
        table = self._items.table
        self._dense.expect(rows[~table.removed[rows]])
        self._matcher.update(rows, table)
        self._attributes.update(rows, table)

    def update_vectors(self, rows: RowArray) -> None:
        """Bring the dense index up to date; raises a RankingError when the encoder is down."""
        gone = self._items.table.removed[rows]
        self._dense.remove(rows[gone])
        rows = rows[~gone]
        if len(rows):
            items = self._items.table.items
            texts = [items[row].ranker_text for row in rows.tolist()]
            self._dense.replace(rows, self._source.vectors(texts))

    def refresh_popularity(self, now_s: float) -> None:
        """Order items by what is popular and by what is new."""
        n_rows = len(self._items.table)
        rows = np.arange(n_rows)
        demand = self._items.counters.demand(rows, now_s)
        self._popular = np.argsort(-demand, kind="stable")
        # Born as features.behavior.matrix has it; an item of which no time is known is not new.
        born_s = np.fmin(
            self._items.table.created_s[:n_rows], self._items.counters.first_s[:n_rows]
        )
        self._fresh = np.argsort(-np.where(np.isfinite(born_s), born_s, 0.0), kind="stable")

    def search(
        self,
        query: str,
        vector: FloatArray | None,
        filters: Filters | None,
        limit: int,
        least: Least | None = None,
    ) -> Retrieved:
        """The most relevant items for a query. least: that they need, else as the encoder has it.

        vector: float32 (VECTOR_SIZE,), None while the encoder is down
        """
        table = self._items.table
        depth = _FILTERED_DEPTH if filters else max(_SEARCH_DEPTH, limit)
        asked = self._matcher.read(query, vector, depth)
        few = self.browse(filters) if filters else asked.exact[:0]
        # Where filters leave few, none of them is too far down to be found.
        rows = few if 0 < len(few) <= _FEW else asked.found
        rows = rows[self.allowed(rows, filters)]
        matches = self._matcher.matches(asked, table, rows)
        order = np.argsort(-matches.values, kind="stable")
        least = least or self._models.least
        n_relevant = int((matches.values >= least.of(matches.values)).sum())
        below = order[n_relevant : n_relevant + _NEAREST]
        nearest = zip(rows[below].tolist(), matches.values[below].tolist(), strict=True)
        order = order[: min(n_relevant, limit)]
        matches = matches.take(order)
        return Retrieved(rows[order], matches.values, matches, tuple(nearest))

    def browse(self, filters: Filters | None) -> RowArray:
        """All items that the filters let through, (n,)."""
        return np.flatnonzero(self.allowed(self._all_rows(), filters))

    def corrected(self, query: str) -> str:
        """The query with the likeliest words of the catalogue for those that no item has."""
        return self._matcher.lexicon.corrected(query)

    def matches(self, query: str, vector: FloatArray | None, rows: RowArray) -> Matches:
        """How the items in `rows`, -1 = outside the catalogue, match a query."""
        return self._matcher.matches(self._matcher.read(query, vector), self._items.table, rows)

    def allowed(self, rows: RowArray, filters: Filters | None) -> BoolArray:
        """Which of `rows` may be shown, (n,)."""
        return allowed(self._items.table, self._attributes, rows, filters)

    def recommend(
        self, shopper: Shopper, seed_item_ids: tuple[str, ...], filters: Filters | None, limit: int
    ) -> Retrieved:
        """Candidates for a shopper: near what was seen, bought before, popular, new."""
        table = self._items.table
        keep = self.allowed(self._all_rows(), filters)
        seeds = table.rows(seed_item_ids)
        keep[seeds[(seeds >= 0) & (seeds < len(keep))]] = False
        popular = _kept(self._popular, keep)
        lists: list[WeightedList] = []
        if seed_item_ids:
            lists += self._like(seeds, np.ones(len(seeds)))
        else:
            for weight, state in ((1.5, shopper.session), (1.0, shopper.user)):
                if state is not None and state.recent:
                    history = ItemHistory.of(state, table)
                    alike = self._like(history.recent, history.recent_weights)
                    lists += [(weight * part, rows) for part, rows in alike]
                    lists.append((0.5 * weight, self._popular_in(state, popular)))
            if shopper.user is not None and shopper.user.bought:
                often = sorted(
                    shopper.user.bought.items(), key=lambda entry: (-entry[1][0], -entry[1][2])
                )
                rows = table.rows([item_id for item_id, _ in often])
                lists.append((1.5, rows[rows >= 0]))
            lists += [(0.5, popular[:_DEPTH]), (0.25, _kept(self._fresh, keep)[:_DEPTH])]
        fused = self._fuse(lists, keep, limit)
        return fused if len(fused.rows) else self._fuse([(1.0, popular[:_DEPTH])], keep, limit)

    def _like(self, taken: RowArray, weights: npt.NDArray[np.float64]) -> list[WeightedList]:
        """Items taken together with, and items that read like, those of `taken` by `weights`."""
        table = self._items.table
        together = neighbor_score(table, taken, weights)
        spoken_for = np.flatnonzero(together > 0)
        best = spoken_for[np.argsort(-together[spoken_for], kind="stable")][:_DEPTH]
        lists: list[WeightedList] = [(1.0, best)]
        rows = taken[taken >= 0]
        share = weights[taken >= 0].astype(np.float32)
        known, vectors = self._dense.known(rows)
        if known.any():
            lists.append((0.7, self._dense.nearest(share[known] @ vectors, _DEPTH)))
        return lists

    def _popular_in(self, state: BehaviorState, popular: RowArray) -> RowArray:
        """Popular items of the state's strongest deepest categories."""
        popular = popular[:_CATEGORY_REACH]
        table = self._items.table
        deepest_first = sorted(
            state.categories, key=lambda name: (-name.count(" > "), -state.categories[name])
        )
        deep = deepest_first[:8]
        codes = [table.category_code[name] for name in deep if name in table.category_code]
        inside = np.isin(table.category[popular], codes).any(axis=1)
        return popular[inside][:_DEPTH]

    def _all_rows(self) -> RowArray:
        return np.arange(len(self._items.table))

    def _fuse(
        self, lists: list[WeightedList], keep: npt.NDArray[np.bool_], limit: int
    ) -> Retrieved:
        return Retrieved(*fused(lists, keep, limit))


def _kept(rows: RowArray, keep: npt.NDArray[np.bool_]) -> RowArray:
    rows = rows[rows < len(keep)]
    return rows[keep[rows]]
