"""All that can be suggested of a catalogue at one time, best first."""

from dataclasses import dataclass

import numpy as np

from features.arrays import DoubleArray, IntArray, LongArray, RowArray
from features.catalog.counters import ItemCounters
from features.catalog.table import ItemTable
from serving.search.suggest.phrases import LENGTH, Phrases, frequent_phrases
from serving.search.suggest.postings import Postings
from serving.search.suggest.texts import Texts
from serving.search.suggest.words import MEASURED, SEPARATOR

_ITEMS_A_PLACE = 50_000  # of a large catalogue, a phrase has to stand in more titles
# What many items count that nobody has bought yet: as 0.1 purchases for each e-fold of them.
_UNSOLD = 0.1
_POPULAR = 20  # phrases of each kind for somebody who has typed nothing


@dataclass(frozen=True, slots=True)
class Index:
    """Never changed once made.

    phrases: found by words; phrase_words: int32 (n, LENGTH) codes by phrase, -1 = no more;
    names: int32 (n,) number of the name that the phrase is, -1 = a phrase of titles;
    popular: numbers of phrases for somebody who has typed nothing, best first;
    items: found by words of their titles; rows: int64 (n,) by item;
    keys: sorted, of words; code_of_rank: int32 (n_keys,); letters: that words are made of
    """

    phrases: Postings
    phrase_words: IntArray
    names: IntArray
    popular: LongArray
    items: Postings
    rows: RowArray
    keys: list[str]
    code_of_rank: IntArray
    letters: str


def index_of(texts: Texts, table: ItemTable, counters: ItemCounters, now_s: float) -> Index:
    """The index of what can be bought now."""
    vocabulary = texts.vocabulary
    vocabulary.sort()
    n_rows = min(len(table), len(texts.titles))
    rows = np.flatnonzero(table.available[:n_rows] & ~table.removed[:n_rows])
    demand = counters.demand(rows, now_s).astype(np.float64)
    order = np.argsort(-demand, kind="stable")
    rows, demand = rows[order], demand[order]
    titles = texts.titles[rows]
    words, names, score = _entries(_names(texts, rows, demand), _phrases(texts, titles, demand))
    ranks = vocabulary.rank_of_code
    code_of_rank: IntArray = np.zeros(len(vocabulary.keys), np.int32)
    code_of_rank[ranks[1:]] = np.arange(1, len(ranks))
    best = np.argsort(-score, kind="stable")
    words, names = words[best], names[best]
    return Index(
        Postings(_ranked(words, ranks), len(vocabulary.keys)),
        words,
        names,
        _popular(texts, words, names),
        Postings(_ranked(titles, ranks), len(vocabulary.keys)),
        rows,
        vocabulary.keys,
        code_of_rank,
        vocabulary.letters,
    )


def empty_index() -> Index:
    """Of no items."""
    none, none_rows = np.zeros(0, np.int32), np.zeros(0, np.int64)
    nothing = Postings(np.zeros((0, LENGTH), np.int32), 0)
    return Index(
        nothing, np.zeros((0, LENGTH), np.int32), none, none_rows, nothing, none_rows, [], none, ""
    )


def _phrases(texts: Texts, titles: IntArray, demand: DoubleArray) -> Phrases:
    """Frequent phrases of the titles of items by their demand."""
    vocabulary = texts.vocabulary
    flags = vocabulary.flags[: len(vocabulary.shown)]
    apart = np.full((len(titles), 1), SEPARATOR, np.int32)
    padded = np.concatenate([titles, apart], axis=1)
    used = padded >= 0
    # Where names begin and end tells of words that are written without spaces.
    named = [code for name in texts.names for code in (*name.words, SEPARATOR)]
    text: IntArray = np.concatenate([padded[used], np.array(named, np.int32)])
    weight = np.concatenate([np.repeat(demand, used.sum(axis=1)), np.zeros(len(named))])
    text[(flags[text] & MEASURED) == MEASURED] = SEPARATOR
    return frequent_phrases(text, weight, flags, max(2, len(titles) // _ITEMS_A_PLACE))


def _names(
    texts: Texts, rows: RowArray, demand: DoubleArray
) -> tuple[LongArray, IntArray, DoubleArray]:
    """Numbers of the names that items have, best first, with their words and scores."""
    count, total = texts.named(rows, demand)
    score = total + _UNSOLD * np.log1p(count)
    numbers = np.flatnonzero(count > 0)
    numbers = numbers[np.argsort(-score[numbers], kind="stable")]
    words: IntArray = np.full((len(numbers), LENGTH), -1, np.int32)
    for place, number in enumerate(numbers.tolist()):
        codes = texts.names[number].words[:LENGTH]
        words[place, : len(codes)] = codes
    told = words[:, 0] >= 0
    return numbers[told], words[told], score[numbers[told]]


def _entries(
    named: tuple[LongArray, IntArray, DoubleArray], phrases: Phrases
) -> tuple[IntArray, IntArray, DoubleArray]:
    """Words, names and scores of distinct entries; of the same words, a name stands for all."""
    numbers, words_of_names, score_of_names = named
    words = np.concatenate([words_of_names, phrases.words])
    of_phrases = phrases.demand + _UNSOLD * np.log1p(phrases.count)
    score = np.concatenate([score_of_names, of_phrases])
    names: IntArray = np.full(len(words), -1, np.int32)
    names[: len(numbers)] = numbers
    key = np.zeros(len(words), np.int64)
    for column in words.T:
        key = key * 1_000_003 + column  # wraps around
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    best = np.full(len(first), -np.inf)
    np.maximum.at(best, group, score)
    return words[first], names[first], best


def _popular(texts: Texts, words: IntArray, names: IntArray) -> LongArray:
    """Some of each kind; one word of titles says too little to somebody who has typed nothing."""
    is_brand = np.array([*(name.path is None for name in texts.names), False])  # -1 is the last
    kinds = (
        (names < 0) & (words[:, 1] >= 0), is_brand[names], (names >= 0) & ~is_brand[names],
    )  # fmt: skip
    return np.sort(np.concatenate([np.flatnonzero(kind)[:_POPULAR] for kind in kinds]))


def _ranked(words: IntArray, rank_of_code: IntArray) -> IntArray:
    """Ranks of words, -1 for none and for separators."""
    padded = np.append(rank_of_code, np.int32(-1))
    padded[SEPARATOR] = -1
    ranks: IntArray = padded[words]
    return ranks
