"""A sentence beside a query, read in one catalogue: what it surely asks for, and nothing else.

English, German and Chinese, whichever the sentence is in. What is not understood is told.
"""

import threading
from collections.abc import Iterable

from features.catalog.table import ItemTable
from serving.search.attributes import AttributeIndex
from serving.search.understanding.audience import AUDIENCE_NAMES, audience_wishes
from serving.search.understanding.choices import ATTRIBUTE_NAMES, Choices, size_wishes
from serving.search.understanding.fillers import Fillers
from serving.search.understanding.mentions import Mentions
from serving.search.understanding.money import price_wishes
from serving.search.understanding.names import Names
from serving.search.understanding.negations import Negations
from serving.search.understanding.sentence import Sentence
from serving.search.understanding.wishes import NotUsed, Understood, Why, Wish
from serving.search.words.item_terms import ItemTerms

_State = tuple[int, int, int]


class Reader:
    """Of the catalogue of a replica. The catalogue's names are collected when somebody asks, and
    again when there are others: who sends no sentence pays nothing."""

    def __init__(self, table: ItemTable, attributes: AttributeIndex, items: ItemTerms) -> None:
        self._table = table
        self._attributes = attributes
        self._items = items
        self._mentions = Mentions(items, table)
        self._is_filler = Fillers()
        self._collecting = threading.Lock()
        self._names: tuple[_State, Names] | None = None

    def read(self, text: str) -> Understood:
        """What is asked for. Takes milliseconds; where there are new names, more."""
        names = self._current_names()
        sentence = Sentence(text)
        wishes: list[Wish] = []
        not_used: list[NotUsed] = []
        for found, left in (
            size_wishes(sentence, names),
            price_wishes(sentence, self._table.prices),
            Negations(names, self._mentions, self._table, self._is_filler).read(sentence),
            audience_wishes(sentence, names),
        ):
            wishes += found
            not_used += left
        wishes += Choices(names, self._is_filler).read(sentence)
        not_used += self._left(sentence)
        return Understood(_in_order(text, wishes), tuple(not_used))

    def _left(self, sentence: Sentence) -> Iterable[NotUsed]:
        for start, end in sentence.left():
            words = list(sentence.free_words(start, end))
            if any(not self._is_filler(word.text) for word in words):
                quote = sentence.quote(words[0].start, words[-1].end)
                yield NotUsed(quote, Why.NOT_UNDERSTOOD)

    def _current_names(self) -> Names:
        table = self._table
        state = (len(table.brand_code), len(table.category_tree), self._attributes.n_pairs)
        with self._collecting:
            if self._names is None or self._names[0] != state:
                wanted = (*ATTRIBUTE_NAMES, *AUDIENCE_NAMES)
                names = Names(table, self._attributes, self._items.lexicon, wanted)
                self._names = (state, names)
            return self._names[1]


def _in_order(text: str, wishes: list[Wish]) -> tuple[Wish, ...]:
    """As the sentence has them."""
    return tuple(sorted(wishes, key=lambda wish: text.find(wish.words)))
