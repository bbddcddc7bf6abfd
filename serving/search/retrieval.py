"""Query or shopper to candidates, over the lexical and the dense index of the catalogue."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from features.arrays import BoolArray, FloatArray, RowArray
from features.behavior.matrix import Shopper
from serving.search.attributes import AttributeIndex
from serving.search.dense import DenseIndex
from serving.search.filters import Filters, allowed
from serving.search.kinds import Kind, Liked, liked
from serving.search.matcher import Matcher
from serving.search.pictures.index import PictureIndex, together
from serving.search.recommender import IndexedItems, Likeness, Recommender, Retrieved
from serving.search.relevance import COLUMNS, Least, Matches, RelevanceModels, usual_models
from serving.search.understanding.reader import Reader
from serving.search.understanding.wishes import Understood
from serving.search.words.analysis import Analyzer
from serving.search.words.synonyms import Meaning

_SEARCH_DEPTH = 200  # the same of a search: each is matched with the query
_FILTERED_DEPTH = 4_000  # the same when filters will take many of them away
_FEW = 2_000  # items that filters leave, of which each is matched with the query
_NEAREST = 5  # told of when nothing is relevant enough


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
    with the encoder in use, by default the English one; pictures: whether they are looked at;
    reads_pictures: whether what is written on them is read
    """

    def __init__(
        self,
        items: IndexedItems,
        source: VectorSource,
        analyzer: Analyzer | None = None,
        models: RelevanceModels | None = None,
        synonyms: Iterable[Meaning] = (),
        pictures: bool = False,
        reads_pictures: bool = False,
    ) -> None:
        self._items = items
        self._source = source
        self._models = models or usual_models()
        self._dense = DenseIndex()
        self.pictures = PictureIndex() if pictures else None
        words, model = analyzer or Analyzer(), self._models.items
        self.matcher = Matcher(words, self._dense, model, synonyms, self.pictures, reads_pictures)
        self._attributes = AttributeIndex()
        self._recommender = Recommender(items, self._dense, self.pictures)
        self._reader = Reader(items.table, self._attributes, self.matcher.items)

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
        self.matcher.update(rows, table)
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

    @property
    def n_awaited(self) -> int:
        """How many items are found by their words only, until they are encoded."""
        return self._dense.n_awaited

    def refresh_popularity(self, now_s: float) -> None:
        """Order items by what is popular and by what is new."""
        self._recommender.refresh(now_s)

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
        asked = self.matcher.read(query, vector, table, depth)
        few = self.browse(filters) if filters else asked.exact[:0]
        # Where filters leave few, none of them is too far down to be found.
        rows = few if 0 < len(few) <= _FEW else asked.found
        rows = rows[self.allowed(rows, filters)]
        matches = self.matcher.matches(asked, table, rows)
        order = np.argsort(-matches.values, kind="stable")
        relevant = (least or self._models.least).met(matches)[order]
        below, order = order[~relevant][:_NEAREST], order[relevant][:limit]
        nearest = zip(rows[below].tolist(), matches.values[below].tolist(), strict=True)
        matches = matches.take(order)
        return Retrieved(rows[order], matches.values, matches, tuple(nearest))

    def browse(self, filters: Filters | None) -> RowArray:
        """All items that the filters let through, (n,)."""
        return np.flatnonzero(self.allowed(self._all_rows(), filters))

    def knows(self, query: str) -> bool:
        """Whether items have all of its words: then it is `corrected` already."""
        return self.matcher.lexicon.has(query)

    def corrected(self, query: str) -> str:
        """The query with the likeliest words of the catalogue for those that no item has."""
        return self.matcher.lexicon.corrected(query)

    def understood(self, text: str) -> Understood:
        """What a sentence beside a query asks for in this catalogue."""
        return self._reader.read(text)

    def matches(self, query: str, vector: FloatArray | None, rows: RowArray) -> Matches:
        """How the items in `rows`, -1 = outside the catalogue, match a query."""
        table = self._items.table
        return self.matcher.matches(self.matcher.read(query, vector, table), table, rows)

    def allowed(self, rows: RowArray, filters: Filters | None) -> BoolArray:
        """Which of `rows` may be shown, (n,)."""
        return allowed(self._items.table, self._attributes, rows, filters)

    def recommend(
        self,
        shopper: Shopper,
        seed_item_ids: tuple[str, ...],
        filters: Filters | None,
        limit: int,
        by: Likeness | None = None,
    ) -> Retrieved:
        """Candidates for a shopper, or like the seeds, where there are any; by: in what alone."""
        keep = self.allowed(self._all_rows(), filters)
        if by is Likeness.IMAGE and self.pictures is not None:
            seeds = self._items.table.rows(seed_item_ids)
            seeds = seeds[(seeds >= 0) & (seeds < len(keep))]
            keep[seeds] = False
            looks = self.pictures.middle(seeds, np.ones(len(seeds)))
            return self._looks_like(looks, keep, limit)
        return self._recommender.recommend(shopper, seed_item_ids, keep, limit, by)

    def looks_like(
        self,
        looks: FloatArray,
        filters: Filters | None,
        limit: int,
        query: str | None = None,
        vector: FloatArray | None = None,
    ) -> Retrieved:
        """What looks like a picture of the vector `looks`, and answers the query where there is
        one; that is how relevant an item is. vector: of the query, as of `search`
        """
        keep = self.allowed(self._all_rows(), filters)
        found = self._looks_like(looks, keep, limit)
        if query is None or self.pictures is None:
            return found
        read = self.search(query, vector, filters, limit, Least())
        rows = np.union1d(found.rows, read.rows)
        matches = self.matches(query, vector, rows)
        both = together(matches.values, self.pictures.likeness(rows, looks))
        order = np.argsort(-both, kind="stable")[:limit]
        best = Matches(both[order], matches.columns[order])
        return Retrieved(rows[order], best.values, best)

    def collapsed(self, found: Retrieved) -> Retrieved:
        """Of what shows the same picture, only the first."""
        if self.pictures is None or not len(found.rows):
            return found
        kept = np.flatnonzero(self.pictures.same(found.rows) == np.arange(len(found.rows)))
        matches = found.matches and found.matches.take(kept)
        return replace(found, rows=found.rows[kept], score=found.score[kept], matches=matches)

    def _looks_like(self, vector: FloatArray | None, keep: BoolArray, limit: int) -> Retrieved:
        if self.pictures is None or vector is None:
            rows, alike = np.zeros(0, np.int64), np.zeros(0, np.float32)
        else:
            rows, alike = self.pictures.like(vector, keep, limit)
        words = np.full((len(rows), len(COLUMNS)), np.nan, np.float32)
        return Retrieved(rows, alike, Matches(alike, words))

    def companions(
        self, cart_item_ids: tuple[str, ...], filters: Filters | None, limit: int
    ) -> Retrieved:
        """What goes into one basket with the cart."""
        keep = self.allowed(self._all_rows(), filters)
        return self._recommender.companions(cart_item_ids, keep, limit)

    def alike(
        self, seed_item_ids: tuple[str, ...], filters: Filters | None, limit: int
    ) -> Retrieved:
        """What is like the seeds, and nothing in its stead."""
        keep = self.allowed(self._all_rows(), filters)
        return self._recommender.alike(seed_item_ids, keep, limit)

    def popular(self, filters: Filters | None, limit: int) -> Retrieved:
        """What most people take, whoever asks."""
        return self._recommender.popular(self.allowed(self._all_rows(), filters), limit)

    def newest(self, filters: Filters | None, limit: int) -> Retrieved:
        """What came last, whoever asks."""
        return self._recommender.newest(self.allowed(self._all_rows(), filters), limit)

    def bought(self, shopper: Shopper, filters: Filters | None, limit: int) -> Retrieved:
        """What the shopper has bought."""
        keep = self.allowed(self._all_rows(), filters)
        return self._recommender.bought(shopper, keep, limit)

    def kinds(self, shopper: Shopper, kind: Kind, filters: Filters | None) -> list[Liked]:
        """Brands or categories of what the filters let through, the likeliest first."""
        keep = self.allowed(self._all_rows(), filters)
        return liked(self._items.table, shopper, self._recommender.demand, keep, kind)

    def _all_rows(self) -> RowArray:
        return np.arange(len(self._items.table))
