"""Suggestions as they are given: each text once, up to a limit."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from features.catalog.table import ItemTable
from serving.search.suggest.index import Index
from serving.search.suggest.postings import Postings
from serving.search.suggest.texts import Texts
from serving.search.suggest.typed import Reading, TypedWord, typed_words


class Kind(StrEnum):
    """What a suggestion is."""

    QUERY = "query"
    CATEGORY = "category"
    BRAND = "brand"
    ITEM = "item"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """item_id: of an item; category: the path, of a category."""

    text: str
    kind: Kind
    item_id: str | None = None
    category: str | None = None


class Answer:
    """Suggestions of one index for one reader."""

    def __init__(self, index: Index, texts: Texts, table: ItemTable, limit: int) -> None:
        self.suggestions: list[Suggestion] = []
        self._index = index
        self._texts = texts
        self._table = table
        self._limit = limit
        self._seen: set[tuple[str, ...]] = set()

    @property
    def full(self) -> bool:
        """Whether no more is taken."""
        return len(self.suggestions) >= self._limit

    def add_phrases(self, reading: Reading, apart: Sequence[bool]) -> int | None:
        """Add phrases that match; the first one that does, as its number in the index."""
        matching = self._matching(self._index.phrases, reading, apart)
        return self._add_all(matching, self._add_phrase)

    def add_items(self, reading: Reading, apart: Sequence[bool]) -> int | None:
        """Add items whose titles match; the first one that does, as its number in the index."""
        matching = self._matching(self._index.items, reading, apart)
        return self._add_all(matching, self._add_item)

    def add_popular(self) -> None:
        """Add popular phrases, no kind more than half of them, and then popular items."""
        left = dict.fromkeys(Kind, (self._limit + 1) // 2)
        for phrase in self._index.popular.tolist():
            suggestion = self._phrase(phrase)
            if not self.full and left[suggestion.kind] and self._add(suggestion):
                left[suggestion.kind] -= 1
        self._add_all(range(len(self._index.rows)), self._add_item)

    def known(self, ranks: tuple[int, int]) -> bool:
        """Whether anything has a word of these ranks."""
        return self._index.phrases.has(*ranks) or self._index.items.has(*ranks)

    def corrected(
        self, words: Sequence[TypedWord], reading: Reading, postings: Postings, entry: int
    ) -> str:
        """What was typed, mistyped words in the form that they have in an entry that was found."""
        vocabulary, parts = self._texts.vocabulary, [""]
        for word, ranges in zip(words, reading, strict=True):
            rank = postings.word_of(entry, ranges)
            as_is = rank < 0 or self._index.keys[rank].startswith(word.key)
            code = -1 if as_is else int(self._index.code_of_rank[rank])
            joined = word.character and not word.apart
            parts += ["" if joined else " ", word.shown if as_is else vocabulary.shown[code]]
        return "".join(parts).strip()

    def _matching(
        self, postings: Postings, reading: Reading, apart: Sequence[bool]
    ) -> Iterable[int]:
        if self.full or not all(any(postings.has(*pair) for pair in word) for word in reading):
            return ()
        leading, others = postings.matching(reading, apart)
        return chain(leading, others)

    def _add_all(self, entries: Iterable[int], add: Callable[[int], bool]) -> int | None:
        first = None
        for entry in entries:
            if self.full:
                break
            if add(entry) and first is None:
                first = entry
        return first

    def _add_phrase(self, phrase: int) -> bool:
        return self._add(self._phrase(phrase))

    def _add_item(self, item: int) -> bool:
        row = int(self._index.rows[item])
        table = self._table
        if table.removed[row] or not table.available[row]:  # since the index was made
            return False
        title = table.items[row].title
        return self._add(Suggestion(title, Kind.ITEM, item_id=table.item_ids[row]))

    def _add(self, suggestion: Suggestion) -> bool:
        form = tuple(word.key for word in typed_words(suggestion.text))
        if form in self._seen:
            return False
        self._seen.add(form)
        self.suggestions.append(suggestion)
        return True

    def _phrase(self, phrase: int) -> Suggestion:
        number = int(self._index.names[phrase])
        if number >= 0:
            name = self._texts.names[number]
            kind = Kind.BRAND if name.path is None else Kind.CATEGORY
            return Suggestion(name.text, kind, category=name.path)
        codes = [code for code in self._index.phrase_words[phrase].tolist() if code >= 0]
        return Suggestion(self._texts.vocabulary.text(codes), Kind.QUERY)
