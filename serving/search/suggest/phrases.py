"""Frequent phrases of titles: runs of words that occur in several items and stand for themselves.

Counted a length at a time: a phrase can be frequent only if both of its parts are that leave out
its first or its last word (Agrawal and Srikant, 1994, for sets of items).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, DoubleArray, IntArray, LongArray
from serving.search.suggest.words import CHARACTER, NO_BEGIN, NO_END, NUMBER, SEPARATOR

LENGTH = 16  # characters of a phrase in writing without spaces
_WORDS = 4  # of a phrase of other words
# A phrase of which so much goes on with one and the same word is only a part: "extra virgin".
_GOES_ON = 0.8


@dataclass(frozen=True, slots=True)
class Phrases:
    """words: int32 (n, LENGTH) codes, -1 = no more; count, demand: float64 (n,), over places"""

    words: IntArray
    count: DoubleArray
    demand: DoubleArray


@dataclass(frozen=True, slots=True)
class _Grams:
    """Runs of one length that are frequent.

    at: int32 (n_places,) which begins at each place, -1 = none; words: int32 (n, length);
    shorter: int64 (n,), which of one word less it begins with;
    count: int64 (n,), in how many places; demand: float64 (n,)
    """

    at: IntArray
    words: IntArray
    shorter: LongArray
    count: LongArray
    demand: DoubleArray


def frequent_phrases(
    text: IntArray, weight: DoubleArray, flags: npt.NDArray[np.uint8], least: int
) -> Phrases:
    """Phrases that occur in at least so many places.

    text: int32 (n_places,) codes of words, SEPARATOR between what belongs apart; weight:
    (n_places,), the demand for the item there; flags: by code
    """
    spelt = (flags[text] & CHARACTER) > 0
    # Nothing tells where a word begins or ends among characters but other writing beside them.
    inside = spelt[:-1] & spelt[1:]
    begins, ends = np.append(True, ~inside), np.append(~inside, True)
    words: IntArray = np.arange(len(flags), dtype=np.int32)[:, None]
    each = np.arange(len(flags))
    grams = _frequent(np.flatnonzero(text != SEPARATOR), text, each, words, weight, least)
    kept = []
    while len(grams.words):
        longer = _longer(grams, flags, weight, least)
        kept.append(_phrases(grams, longer, flags, begins, ends))
        grams = longer
    if not kept:
        return Phrases(np.zeros((0, LENGTH), np.int32), np.zeros(0), np.zeros(0))
    return Phrases(
        np.concatenate([phrases.words for phrases in kept]),
        np.concatenate([phrases.count for phrases in kept]),
        np.concatenate([phrases.demand for phrases in kept]),
    )


def _longer(grams: _Grams, flags: npt.NDArray[np.uint8], weight: DoubleArray, least: int) -> _Grams:
    """The frequent ones of one word more."""
    length, at = grams.words.shape[1], grams.at
    goes_on: BoolArray = (at[:-1] >= 0) & (at[1:] >= 0)
    if length >= _WORDS:
        spelt = ((flags[grams.words] & CHARACTER) > 0).all(axis=1) & (length < LENGTH)
        goes_on &= spelt[at[:-1]] & spelt[at[1:]]
    places = np.flatnonzero(goes_on)
    keys = at[places] * np.int64(len(grams.words)) + at[places + 1]
    pairs, number = np.unique(keys, return_inverse=True)
    first, second = np.divmod(pairs, len(grams.words))
    numbers: IntArray = np.full(len(at), -1, np.int32)
    numbers[places] = number
    words = np.concatenate([grams.words[first], grams.words[second][:, -1:]], axis=1)
    return _frequent(places, numbers, first, words, weight, least)


def _frequent(
    places: LongArray, numbers: IntArray, shorter: LongArray, words: IntArray,
    weight: DoubleArray, least: int,
) -> _Grams:  # fmt: skip
    """Of the runs `words` with their `numbers` at `places`, those that occur often enough."""
    here = numbers[places]
    count = np.bincount(here, minlength=len(words))
    often = np.flatnonzero(count >= least)
    renumbered: IntArray = np.full(len(words), -1, np.int32)
    renumbered[often] = np.arange(len(often))
    at: IntArray = np.full(len(numbers), -1, np.int32)
    at[places] = renumbered[here]
    demand = np.bincount(here, weight[places], len(words)).astype(np.float64)[often]
    return _Grams(at, words[often], shorter[often], count[often], demand)


def _phrases(
    grams: _Grams, longer: _Grams, flags: npt.NDArray[np.uint8], begins: BoolArray, ends: BoolArray
) -> Phrases:
    """Those of `grams` that may be suggested."""
    n, length = grams.words.shape
    places = np.flatnonzero(grams.at >= 0)
    here = grams.at[places]
    first, last = flags[grams.words[:, 0]], flags[grams.words[:, -1]]
    keep = ((first & NO_BEGIN) == 0) & ((last & NO_END) == 0)
    keep &= np.bincount(here, begins[places], n) > 0
    keep &= np.bincount(here, ends[places + length - 1], n) > 0
    if length == 1:
        keep &= (first & CHARACTER) == 0
    # "Whole milk" stays, however often "1" or "2" follows.
    named = (flags[longer.words[:, -1]] & NUMBER) == 0
    most_count, most_demand = np.zeros(n, np.int64), np.zeros(n)
    np.maximum.at(most_count, longer.shorter[named], longer.count[named])
    np.maximum.at(most_demand, longer.shorter[named], longer.demand[named])
    keep &= most_count < _GOES_ON * grams.count
    own = np.where(most_demand < _GOES_ON * grams.demand, grams.demand, grams.demand - most_demand)
    words: IntArray = np.full((int(keep.sum()), LENGTH), -1, np.int32)
    words[:, :length] = grams.words[keep]
    return Phrases(words, grams.count[keep].astype(np.float64), own[keep])
