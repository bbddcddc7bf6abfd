"""Texts to terms: one analysis for items, queries and suggestions, in any language.

NFKC and case folding, diacritics of Latin letters dropped, Snowball stems in the catalogue's
language. Writing without spaces becomes bigrams of characters. A number with a unit is one term, in
the unit's smallest form: "1.5 L" and "1500 ml" are the same.
"""

import re
import unicodedata
from collections.abc import Iterator

import Stemmer

# ISO 639-1 to Snowball's names; a language without a stemmer keeps its words whole.
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "et": "estonian", "eu": "basque", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
# Scripts that put no spaces between words: kana, Han, Hangul, Thai.
_UNSPACED = r"\u0e00-\u0e7f\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_UNITS = {
    "mg": (0.001, "g"), "g": (1, "g"), "gr": (1, "g"), "kg": (1000, "g"), "ml": (1, "ml"),
    "cl": (10, "ml"), "dl": (100, "ml"), "l": (1000, "ml"), "ltr": (1000, "ml"),
    "liter": (1000, "ml"), "litre": (1000, "ml"), "liters": (1000, "ml"), "litres": (1000, "ml"),
    "gal": (1, "gal"), "gallon": (1, "gal"), "gallons": (1, "gal"), "qt": (0.25, "gal"),
    "ct": (1, "ct"), "count": (1, "ct"), "pack": (1, "pack"), "pk": (1, "pack"),
    "pint": (0.125, "gal"), "pints": (0.125, "gal"), "pt": (0.125, "gal"), "quart": (0.25, "gal"),
    "pound": (16, "oz"), "pounds": (16, "oz"),
    "oz": (1, "oz"), "ounce": (1, "oz"), "ounces": (1, "oz"), "lb": (16, "oz"), "lbs": (16, "oz"),
    "mm": (0.1, "cm"), "cm": (1, "cm"), "m": (100, "cm"), "gb": (1, "gb"), "tb": (1000, "gb"),
    "mb": (0.001, "gb"), "inch": (1, "inch"), "inches": (1, "inch"), "w": (1, "w"), "v": (1, "v"),
    "mah": (1, "mah"), "克": (1, "g"), "千克": (1000, "g"), "公斤": (1000, "g"), "斤": (500, "g"),
    "毫升": (1, "ml"), "升": (1000, "ml"), "厘米": (1, "cm"), "寸": (1, "inch"),
    "グラム": (1, "g"), "キロ": (1000, "g"), "リットル": (1000, "ml"), "インチ": (1, "inch"),
}  # fmt: skip
_LONGEST_UNITS = "|".join(sorted(_UNITS, key=len, reverse=True))
# A number with its unit in a folded text.
MEASURE = rf"\d[\d.,]*[ -]?(?:{_LONGEST_UNITS})(?![a-z0-9])"
_TERM = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+|\d+(?:[.,]\d+)?)"
    rf"[ -]?(?P<unit>{_LONGEST_UNITS})(?![a-z0-9])"
    rf"|(?P<run>[{_UNSPACED}]+)"
    rf"|(?P<decimal>\d+[.,]\d+)"
    rf"|(?P<word>(?:(?![{_UNSPACED}])\w)+(?:['\u2019](?:(?![{_UNSPACED}])\w)+)*)"
)
_MARKS = re.compile(r"[\u0300-\u036f]+")
# Letters that are no letter with a mark: dotless i, o with a stroke, l, d; Cyrillic io becomes ie.
_FOREIGN = str.maketrans(
    {"\u0131": "i", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "\u0451": "\u0435"}
)
_LONGEST, _MOST_WORDS = 40, 500_000  # letters of a word, and words, that are remembered
_MOST_HYPHENATED = 20_000
SHORTEST_PART = 3  # letters of a part of a compound
MAX_TERMS = 64  # of a query; what comes behind says no more


class Analyzer:
    """Of one catalogue. language: ISO 639-1, of words in spaced writing; others are whole words."""

    def __init__(self, language: str = "en") -> None:
        self.language = language
        name = STEMMERS.get(language)
        self._stemmer = Stemmer.Stemmer(name, 0) if name else None
        # The same few thousand words make up a catalogue.
        self._term_of: dict[str, str] = {}
        self._word_of: dict[str, str] = {}
        self._hyphenated: dict[str, tuple[str, str]] = {}  # by both terms as one

    def terms(self, text: str, learn: bool = False) -> list[str]:
        """The terms of `text`, in order. learn: it is of an item, whose words recur."""
        return [term for term, _ in self.spans(text, learn)]

    def spans(self, text: str, learn: bool = False) -> list[tuple[str, str]]:
        """The terms of `text` in order, each with the folded word that it is of."""
        plain = plain_text(text)
        return [(term, plain[start:end]) for term, start, end in self._located(plain, learn)]

    def located(self, text: str) -> tuple[str, list[tuple[str, int, int]]]:
        """The folded text, and its terms in order with where each begins and ends in it."""
        plain = plain_text(text)
        return plain, list(self._located(plain, False))

    def word_of(self, term: str) -> str:
        """The first word of an item that had this term; the term itself when no item has."""
        return self._word_of.get(term, term)

    def hyphenated(self, term: str) -> tuple[str, str] | None:
        """The words that items write with a hyphen where `term` has none ("kcup").

        Only those of which one is too short to be told as a part of a compound.
        """
        return self._hyphenated.get(term)

    def _learn_hyphenated(self, first: str, second: str) -> None:
        short = min(len(first), len(second)) < SHORTEST_PART
        if short and len(self._hyphenated) < _MOST_HYPHENATED and not (first + second).isdigit():
            glued = self._term(first, True) + self._term(second, True)
            self._hyphenated.setdefault(glued, (first, second))

    def _located(self, text: str, learn: bool) -> Iterator[tuple[str, int, int]]:
        word, word_end = "", -1
        for match in _TERM.finditer(text):
            kind, (start, end) = match.lastgroup, match.span()
            if kind == "unit":
                factor, unit = _UNITS[match["unit"]]
                yield f"{_number(match['number']) * factor:.6g}{unit}", start, end
            elif kind == "run":
                if end - start == 1:
                    yield match.group(), start, end
                for at in range(start, end - 1):
                    yield text[at : at + 2], at, at + 2
            elif kind == "decimal":
                yield match.group().replace(",", "."), start, end
            else:
                if learn and word_end == start - 1 and text[word_end] == "-":
                    self._learn_hyphenated(word, match.group())
                word, word_end = match.group(), end
                yield self._term(word, learn), start, end

    def _term(self, word: str, learn: bool) -> str:
        term = self._term_of.get(word)
        if term is None:
            plain = unfold_marks(word)
            for mark in ("'", "\u2019"):
                plain = plain.removesuffix(f"{mark}s").replace(mark, "")
            term = self._stemmer.stemWord(plain) if self._stemmer else plain
            # What shoppers type is not kept.
            if learn and len(word) <= _LONGEST and len(self._term_of) < _MOST_WORDS:
                self._term_of[word] = term
                self._word_of.setdefault(term, word)
        return term


def plain_text(text: str) -> str:
    """NFKC and case folded; a Turkish capital i folds to an i with a dot of its own: without it."""
    return unicodedata.normalize("NFKC", text).casefold().replace("i\u0307", "i")


def _number(text: str) -> float:
    """A comma in front of three digits parts thousands, else decimals."""
    return float(re.sub(r",(?=\d{3})", "", text).replace(",", "."))


def unfold_marks(word: str) -> str:
    """A folded word without the diacritics of Latin and Greek letters; й and が are letters."""
    if word.isascii():
        return word
    plain = "".join(
        _MARKS.sub("", unicodedata.normalize("NFD", letter))
        if "\u00c0" <= letter <= "\u03ff" or "\u1e00" <= letter <= "\u1fff"
        else letter
        for letter in word
    )
    return plain.translate(_FOREIGN)
