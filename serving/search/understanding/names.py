"""The names that a catalogue has, and where a sentence has them: brands, categories, values."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from features.catalog.item import CATEGORY_SEPARATOR
from features.catalog.table import ItemTable
from serving.search.attributes import AttributeIndex
from serving.search.understanding.sentence import Sentence, Word
from serving.search.understanding.wishes import Wanted
from serving.search.words.analysis import unfold_marks
from serving.search.words.lexicon import Lexicon

_LONGEST = 5  # words of a name, and twice as many characters of writing without spaces
_MUCH_MORE_OFTEN = 1.2  # than it is a brand, a word is met that means something else as well


@dataclass(frozen=True, slots=True)
class Name:
    """Of a brand, a category or an attribute's value. values: of the catalogue, as it writes
    them; of categories the whole paths. name: of the attribute."""

    wanted: Wanted
    values: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """[start, end) of a sentence, and what it names."""

    start: int
    end: int
    names: tuple[Name, ...]

    def of(self, wanted: Wanted) -> Name | None:
        """What it names of this kind."""
        return next((name for name in self.names if name.wanted is wanted), None)


class Names:
    """Of one state of a catalogue. attribute_names: folded, those whose values are looked for."""

    def __init__(
        self,
        table: ItemTable,
        attributes: AttributeIndex,
        lexicon: Lexicon,
        attribute_names: Iterable[str],
    ) -> None:
        self._table = table
        self._attributes = attributes
        self._lexicon = lexicon
        wanted = frozenset(attribute_names)
        found: defaultdict[str, defaultdict[tuple[Wanted, str], dict[str, None]]]
        found = defaultdict(lambda: defaultdict(dict))
        for brand in list(table.brand_code):
            found[_exact(brand)][Wanted.BRAND, ""][brand] = None
        for path in table.category_tree.paths():
            levels = [level.strip() for level in path.split(">") if level.strip()]
            for depth, level in enumerate(levels, 1):
                prefix = CATEGORY_SEPARATOR.join(levels[:depth])
                found[self._stemmed(level)][Wanted.CATEGORY, ""][prefix] = None
        for name, value in attributes.pairs():
            if name in wanted:
                found[self._stemmed(value)][Wanted.ATTRIBUTE, name][value] = None
        found.pop("", None)
        self._names = {key: dict(of_key) for key, of_key in found.items()}

    def find(self, sentence: Sentence) -> list[Mention]:
        """Names in what nobody has taken, in order; of those that overlap, the longest."""
        found: list[Mention] = []
        for start, end in sentence.clauses:
            words = list(sentence.free_words(start, end))
            at = 0
            while at < len(words):
                mention, n_words = self._longest(words[at : at + _LONGEST])
                if not words[at].spaced:
                    found += self._within(words[at])
                elif mention is not None:
                    found.append(mention)
                at += max(n_words, 1)
        return found

    def at(self, words: Sequence[Word]) -> Mention | None:
        """What these words name, all of them together."""
        names = self._named(words)
        return Mention(words[0].start, words[-1].end, names) if words and names else None

    def value_of(self, attributes: Sequence[str], value: str) -> Name | None:
        """The value of one of these attributes, if items have it."""
        return next((name for name in self.called(value) if name.name in attributes), None)

    def called(self, text: str) -> list[Name]:
        """What categories and values are called so."""
        of_key = self._names.get(self._stemmed(text), {})
        names = [Name(wanted, tuple(values), name) for (wanted, name), values in of_key.items()]
        return [name for name in names if name.wanted is not Wanted.BRAND and self._is_sold(name)]

    def is_ordinary_word(self, brand: Name) -> bool:
        """Whether items of other makers have this brand's name as a word: apple, gap, simple."""
        terms = self._lexicon.analyzer.terms(brand.values[0])
        codes = [self._lexicon.code_of.get(term) for term in terms]
        known = [int(self._lexicon.frequency[code]) for code in codes if code is not None]
        own = int(self._table.of_brand(np.arange(len(self._table)), *brand.values).sum())
        return bool(known) and min(known) > _MUCH_MORE_OFTEN * own + 1

    def _longest(self, words: Sequence[Word]) -> tuple[Mention | None, int]:
        for n_words in range(len(words), 0, -1):
            if not all(word.spaced for word in words[:n_words]):
                continue
            names = self._named(words[:n_words])
            if names:
                return Mention(words[0].start, words[n_words - 1].end, names), n_words
        return None, 1

    def _within(self, run: Word) -> list[Mention]:
        """Names in a run of writing without spaces, of two characters and more."""
        found, at = [], 0
        while at < len(run.text) - 1:
            for end in range(min(len(run.text), at + 2 * _LONGEST), at + 1, -1):
                part = Word(run.text[at:end], run.start + at, run.start + end)
                names = self._named([part])
                if names:
                    found.append(Mention(part.start, part.end, names))
                    at = end
                    break
            else:
                at += 1
        return found

    def _named(self, words: Sequence[Word]) -> tuple[Name, ...]:
        exact = " ".join(unfold_marks(word.text) for word in words)
        if exact.isdigit() or len(exact) < 2:
            return ()  # a number, or a letter, is more likely something else
        stemmed = " ".join(self._stem(word.text) for word in words)
        names = [
            Name(wanted, tuple(values), name)
            for key in dict.fromkeys((exact, stemmed))
            for (wanted, name), values in self._names.get(key, {}).items()
            if wanted is not Wanted.BRAND or key == exact
        ]
        return tuple(name for name in names if self._is_sold(name))

    def _is_sold(self, name: Name) -> bool:
        """Whether any item has it: names stay known when their items have gone."""
        table = self._table
        rows = np.flatnonzero(~table.removed[: len(table)])
        if name.wanted is Wanted.BRAND:
            return bool(table.of_brand(rows, *name.values).any())
        if name.wanted is Wanted.CATEGORY:
            return any(table.in_category(rows, path).any() for path in name.values)
        return any(self._attributes.having(rows, name.name, value).any() for value in name.values)

    def _stemmed(self, text: str) -> str:
        return " ".join(self._stem(word) for word in _exact(text).split())

    def _stem(self, word: str) -> str:
        terms = self._lexicon.analyzer.terms(word)
        return terms[0] if len(terms) == 1 else unfold_marks(word)


def _exact(text: str) -> str:
    """A name as it is compared: "L'Oréal" is "l oreal"."""
    return " ".join(unfold_marks(word.text) for word in Sentence(text).words)
