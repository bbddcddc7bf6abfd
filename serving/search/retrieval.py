"""Query or shopper to candidates: a lexical and a dense index over the catalogue, in process.

Lists are merged by reciprocal rank fusion (Cormack et al., 2009): places compare where scores of
different engines do not.
"""

import threading
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import tantivy
from usearch.index import Index

from features.behavior.fold import BehaviorState
from features.behavior.history import ItemHistory, neighbor_score
from features.behavior.matrix import Shopper
from features.catalog.counters import HALF_LIFE, Counter, ItemCounters
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.catalog.words import WORD
from serving.models.contract import VECTOR_SIZE
from serving.search.filters import Filters, allowed
from serving.types import FloatArray, RowArray

_FUSION_K = 60  # the constant of the paper
_DEPTH = 400  # places of each list that take part
_FILTERED_DEPTH = 4_000  # the same when filters will take many of them away
_DENSE_DEPTH = 1_000  # the dense index takes longer for each
_CATEGORY_REACH = 10_000  # of the most popular, when a category is looked for
_DENSE_BATCH = 16  # added at once: readers of the dense index wait for that long
_POPULARITY_HALF_LIFE = HALF_LIFE["7d"]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Candidates, best first. score: float32 (n,), fused."""

    item_ids: list[str]
    score: FloatArray


class IndexedItems(Protocol):
    """The catalogue of a replica, as far as retrieval reads it."""

    @property
    def table(self) -> ItemTable: ...
    @property
    def counters(self) -> ItemCounters: ...

    def texts_of(self, rows: RowArray) -> tuple[RowArray, npt.NDArray[np.int16]]:
        """Content keys (n,) and token ids (n, longest) of `rows`."""
        ...


class VectorSource(Protocol):
    """Encodes item texts for the dense index. Rows of zeros stay out of it."""

    def vectors(self, keys: npt.NDArray[np.int64], tokens: npt.NDArray[np.int16]) -> FloatArray:
        """Unit vectors (n, VECTOR_SIZE); raises a RankingError when the encoder is down."""
        ...


class Retrieval:
    """The indexes. One thread writes (`update`), others read."""

    def __init__(self, items: IndexedItems, source: VectorSource) -> None:
        self._items = items
        self._source = source
        schema = tantivy.SchemaBuilder()
        schema.add_unsigned_field("row", indexed=True, fast=True)
        for field in ("title", "brand", "category", "description"):
            schema.add_text_field(field, tokenizer_name="en_stem")
        self._lexical = tantivy.Index(schema.build())
        self._writer = self._lexical.writer(heap_size=32_000_000, num_threads=1)
        self._worded: set[int] = set()  # rows in the lexical index
        self._dense = Index(ndim=VECTOR_SIZE, metric="cos", dtype="f16")
        self._dense_lock = threading.Lock()  # usearch moves its nodes when it grows
        self._popular: RowArray = np.zeros(0, np.int64)
        self._fresh: RowArray = np.zeros(0, np.int64)

    def update(self, rows: RowArray) -> None:
        """Index new or changed items; a row that is gone leaves both indexes.

        Raises a RankingError when the encoder is down: then the words are indexed all the same.
        """
        self.update_words(rows)
        self.update_vectors(rows)

    def update_words(self, rows: RowArray) -> None:
        """Bring the lexical index up to date."""
        table = self._items.table
        for row in rows.tolist():
            if row in self._worded:
                # By query: a deletion by term of a number matches nothing (tantivy 0.27).
                self._writer.delete_documents_by_query(
                    tantivy.Query.term_query(self._lexical.schema, "row", row)
                )
                self._worded.discard(row)
            if not table.removed[row]:
                self._writer.add_document(_document(row, table.items[row]))
                self._worded.add(row)
        self._writer.commit()
        self._lexical.reload()

    def update_vectors(self, rows: RowArray) -> None:
        """Bring the dense index up to date; raises a RankingError when the encoder is down."""
        gone = self._items.table.removed[rows]
        self._replace_vectors(rows[gone], np.zeros((int(gone.sum()), VECTOR_SIZE), np.float32))
        rows = rows[~gone]
        if len(rows):
            self._replace_vectors(rows, self._source.vectors(*self._items.texts_of(rows)))

    def _replace_vectors(self, rows: RowArray, vectors: FloatArray) -> None:
        for start in range(0, len(rows), _DENSE_BATCH):
            part, new = rows[start : start + _DENSE_BATCH], vectors[start : start + _DENSE_BATCH]
            keep = new.any(axis=1)
            with self._dense_lock:
                stale = part[np.asarray(self._dense.contains(part))]
                if len(stale):
                    self._dense.remove(stale)
                if keep.any():
                    self._dense.add(part[keep], new[keep])

    def refresh_popularity(self, now_s: float) -> None:
        """Order items by what is popular and by what is new."""
        n_rows = len(self._items.table)
        rows = np.arange(n_rows)
        counts = self._items.counters.at(rows, now_s)[:, :, _POPULARITY_HALF_LIFE]
        demand = (
            counts[:, Counter.PURCHASE]
            + 0.3 * counts[:, Counter.CART]
            + 0.1 * counts[:, Counter.INTEREST]
        )
        self._popular = np.argsort(-demand, kind="stable")
        # Born as features.behavior.matrix has it; an item of which no time is known is not new.
        born_s = np.fmin(
            self._items.table.created_s[:n_rows], self._items.counters.first_s[:n_rows]
        )
        self._fresh = np.argsort(-np.where(np.isfinite(born_s), born_s, 0.0), kind="stable")

    def search(
        self, query: str, vector: FloatArray | None, filters: Filters | None, limit: int
    ) -> Retrieved:
        """Candidates for a query; `vector` (VECTOR_SIZE,) is None while the encoder is down."""
        keep = allowed(self._items.table, self._all_rows(), filters)
        depth = _DEPTH if filters is None else _FILTERED_DEPTH
        lists: list[tuple[float, RowArray]] = [(1.0, self._matches(query, depth))]
        if vector is not None:
            lists.append((1.0, self._nearest(vector, depth)))
        return self._fuse(lists, keep, limit)

    def recommend(
        self, shopper: Shopper, seed_item_ids: tuple[str, ...], filters: Filters | None, limit: int
    ) -> Retrieved:
        """Candidates for a shopper: near what was seen, bought before, popular, new."""
        table = self._items.table
        keep = allowed(table, self._all_rows(), filters)
        seeds = table.rows(seed_item_ids)
        keep[seeds[(seeds >= 0) & (seeds < len(keep))]] = False
        popular = _kept(self._popular, keep)
        lists: list[tuple[float, RowArray]] = []
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
        found = self._fuse(lists, keep, limit)
        return found if found.item_ids else self._fuse([(1.0, popular[:_DEPTH])], keep, limit)

    def _like(
        self, taken: RowArray, weights: npt.NDArray[np.float64]
    ) -> list[tuple[float, RowArray]]:
        """Items taken together with, and items that read like, those of `taken` by `weights`."""
        table = self._items.table
        together = neighbor_score(table, taken, weights)
        spoken_for = np.flatnonzero(together > 0)
        best = spoken_for[np.argsort(-together[spoken_for], kind="stable")][:_DEPTH]
        lists: list[tuple[float, RowArray]] = [(1.0, best)]
        rows = taken[taken >= 0]
        share = weights[taken >= 0].astype(np.float32)
        with self._dense_lock:
            known = np.asarray(self._dense.contains(rows)) if len(rows) else np.zeros(0, bool)
            found = self._dense.get(rows[known]) if known.any() else ()
        if known.any():
            profile = share[known] @ np.asarray(found, np.float32)
            lists.append((0.7, self._nearest(profile, _DEPTH)))
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

    def _matches(self, query: str, depth: int) -> RowArray:
        """Rows by BM25. Only the words of the query are used: its syntax is not ours to run."""
        plain = " ".join(dict.fromkeys(WORD.findall(query.lower())))
        if not plain:
            return np.zeros(0, np.int64)
        parsed, _ = self._lexical.parse_query_lenient(
            plain,
            ["title", "brand", "category", "description"],
            field_boosts={"title": 2.0, "description": 0.5},
        )
        searcher = self._lexical.searcher()
        hits = searcher.search(parsed, limit=depth, count=False).hits
        rows = searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64)

    def _nearest(self, vector: FloatArray, depth: int) -> RowArray:
        with self._dense_lock:
            n = min(depth, _DENSE_DEPTH, len(self._dense))
            return np.asarray(self._dense.search(vector, n).keys if n else (), np.int64)

    def _all_rows(self) -> RowArray:
        return np.arange(len(self._items.table))

    def _fuse(
        self, lists: list[tuple[float, RowArray]], keep: npt.NDArray[np.bool_], limit: int
    ) -> Retrieved:
        """The best of `lists` among the rows that `keep`, bool (n,), lets through."""
        score = np.zeros(len(keep), np.float32)
        for weight, rows in lists:
            rows = rows[rows < len(keep)]  # the catalogue may have grown since `keep` was made
            np.add.at(score, rows, weight / (_FUSION_K + 1 + np.arange(len(rows))))
        rows = np.flatnonzero((score > 0) & keep)
        rows = rows[np.argsort(-score[rows], kind="stable")][:limit]
        item_ids = self._items.table.item_ids
        return Retrieved([item_ids[row] for row in rows.tolist()], score[rows])


def _kept(rows: RowArray, keep: npt.NDArray[np.bool_]) -> RowArray:
    rows = rows[rows < len(keep)]
    return rows[keep[rows]]


def _document(row: int, item: Item) -> tantivy.Document:
    document = tantivy.Document()
    document.add_unsigned("row", row)
    document.add_text("title", item.title)
    document.add_text("brand", item.brand)
    document.add_text("category", item.category.replace(">", " "))
    document.add_text("description", item.description)
    return document
