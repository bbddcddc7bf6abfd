"""What was typed, as words, and the ways in which it can be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.search.suggest.postings import Ranges
from serving.search.suggest.typos import exactly, meant, with_prefix
from serving.search.suggest.words import plain, tokens, word_key

Reading = list[Ranges]  # one for each word
_MAX_WORDS = 16  # of what was typed; what comes behind says no more


@dataclass(frozen=True, slots=True)
class TypedWord:
    """shown: as typed; complete: whether more of it may come;
    character: of writing without spaces; apart: not directly behind another character
    """

    key: str
    shown: str
    complete: bool
    character: bool
    apart: bool


def typed_words(text: str) -> list[TypedWord]:
    """The words of what was typed; the last one is complete when a space follows."""
    lower = plain(text)
    found: list[TypedWord] = []
    before = "separator"
    parsed = tokens(lower)
    for place, (kind, word) in enumerate(parsed):
        key = word_key(word) if kind != "separator" else ""
        if key:
            character = kind == "character"
            ended = place < len(parsed) - 1 or lower[-1:].isspace()
            apart = not (character and before == "character")
            found.append(TypedWord(key, word, ended or character, character, apart))
        before = kind
    return found[:_MAX_WORDS]


def as_typed(keys: Sequence[str], words: Sequence[TypedWord]) -> Reading:
    """Complete words as they are, and what the last one may become."""
    return [
        [exactly(keys, word.key) if word.complete else with_prefix(keys, word.key)]
        for word in words
    ]


def as_begun(keys: Sequence[str], words: Sequence[TypedWord]) -> Reading:
    """Every word may go on: "shoe" is "shoes"."""
    return [[with_prefix(keys, word.key)] for word in words]


def as_one(keys: Sequence[str], words: Sequence[TypedWord]) -> Reading:
    """What is written in one word elsewhere: "t shirt"."""
    return [[with_prefix(keys, "".join(word.key for word in words))]]


def as_mistyped(
    keys: Sequence[str],
    letters: str,
    words: Sequence[TypedWord],
    known: Callable[[tuple[int, int]], bool],
) -> Reading:
    """Each word as it is or corrected, as far as `known`; a whole one that is known stays.

    If all of them are, then one that is known must be mistyped.
    """
    reading: list[Ranges] = []
    whole = [known(exactly(keys, word.key)) for word in words]
    for word, [own], stays in zip(words, as_typed(keys, words), whole, strict=True):
        asked = not word.character and (not stays or all(whole))
        corrected = meant(keys, letters, word.key, word.complete) if asked else []
        reading.append([pair for pair in (own, *corrected) if known(pair)])
    return reading
