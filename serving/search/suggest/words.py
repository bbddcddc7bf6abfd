"""The words that suggestions are made of, as codes: whole words, or characters where no spaces are.

Unlike terms of search (analysis.py) they keep their endings, since people read them.
"""

import re
import sys
import unicodedata
from collections import Counter
from itertools import groupby

import numpy as np
import numpy.typing as npt

from serving.search.words.analysis import MEASURE, unfold_marks
from serving.search.words.stop_words import StopWords

SEPARATOR = 0  # the code of what no phrase reaches across
# Flags of a word.
CHARACTER = 1  # of writing without spaces: each is a word of its own
NO_BEGIN = 2  # of a phrase: function words, numbers, single letters
NO_END = 4  # of a phrase: function words
NUMBER = 8
MEASURED = NUMBER | NO_BEGIN | NO_END  # a number with its unit
JOINED = 16  # written without a space before another such word

_LETTERS = 64  # that are tried in the place of a mistyped one

# Han, Thai, Lao, Burmese, Khmer. Kana and Hangul are read in runs, which end where others begin.
_CHARACTERS = r"\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_KANA = r"\u3041-\u30ff"


def _combining() -> str:
    """Marks that stand behind letters, as ranges: to Python's `re` they are no part of a word."""
    marks = [code for code in range(0x300, 0x3000) if unicodedata.category(chr(code))[0] == "M"]
    runs = groupby(enumerate(marks), lambda pair: pair[1] - pair[0])
    ranges = [[code for _, code in run] for _, run in runs]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in ranges)


_FIRST = rf"[^\W_{_CHARACTERS}{_KANA}]"
_WORD = rf"{_FIRST}(?:{_FIRST}|(?![{_CHARACTERS}])[{_combining()}])*"
_TOKEN = re.compile(
    rf"(?P<measure>{MEASURE})"
    rf"|(?P<character>[{_CHARACTERS}])"
    rf"|(?P<kana>[{_KANA}]+)"
    r"|(?P<number>\d+(?:[.,]\d+)*%?(?!\w))"
    rf"|(?P<word>{_WORD}(?:['&-]{_WORD})*|(?<= )&(?= ))"
    rf"|(?P<separator>[^\w\s]+|(?<=[{_CHARACTERS}{_KANA}])\s+(?=[{_CHARACTERS}{_KANA}]))"
)
_HIRAGANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}  # of katakana
_INSIDE = str.maketrans("", "", "'-& ")


def plain(text: str) -> str:
    """The text as suggestions show it: NFKC, lower case."""
    lower = unicodedata.normalize("NFKC", text).lower()
    return lower.replace("i\u0307", "i").replace("\u2019", "'")


def word_key(word: str) -> str:
    """How words are compared: a `plain` one without diacritics, hyphens and apostrophes.

    Katakana is Hiragana, and a Korean syllable its letters, so that half of one is a prefix.
    """
    if word.isascii():
        return word.translate(_INSIDE) or word
    key = unfold_marks(word.casefold()).translate(_INSIDE).translate(_HIRAGANA)
    if any("\uac00" <= letter <= "\ud7a3" for letter in key):
        key = unicodedata.normalize("NFD", key)
    return key


def tokens(text: str) -> list[tuple[str, str]]:
    """Kind and writing of the tokens of a `plain` text, separators between words included."""
    return [(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(text)]


class Vocabulary:
    """Codes of words. One thread adds, others read; an array is replaced by a longer one.

    keys: sorted, of all words; rank_of_code: int32 (n_codes,), places in `keys`;
    letters: that words are made of
    """

    def __init__(self, language: str) -> None:
        self.shown = [""]  # by code
        self.keys: list[str] = []
        self.rank_of_code: npt.NDArray[np.int32] = np.full(1, -1, np.int32)
        self.flags: npt.NDArray[np.uint8] = np.zeros(1024, np.uint8)
        self.letters = ""
        self._letters: Counter[str] = Counter()
        self._code_of_key: dict[str, int] = {}
        self._code_of_word: dict[str, int] = {}
        self._new: list[str] = []
        self._says_nothing = StopWords(language)

    def codes(self, text: str) -> list[int]:
        """Codes of the words of `text`; new ones are added. Of the writing thread only."""
        code_of = self._code_of_word
        found = []
        for match in _TOKEN.finditer(plain(text)):
            kind = match.lastgroup
            word = match.group()
            if kind == "separator":
                found.append(SEPARATOR)
                continue
            code = code_of.get(word)
            found.append(self._add(str(kind), word) if code is None else code)
        return found

    def sort(self) -> None:
        """Take words that were added since the last time into `keys`."""
        if not self._new:
            return
        # Two sorted runs: sorting them together is one merge.
        self.keys = sorted(self.keys + sorted(self._new))
        for key in self._new:
            self._letters.update(filter(str.isalpha, key if len(key) > 1 else ""))
        self.letters = "".join(letter for letter, _ in self._letters.most_common(_LETTERS))
        self._new = []
        ranks = np.full(len(self.shown), -1, np.int32)
        ranks[[self._code_of_key[key] for key in self.keys]] = np.arange(len(self.keys))
        self.rank_of_code = ranks

    def text(self, codes: list[int]) -> str:
        """A phrase as it is shown."""
        parts: list[str] = []
        for before, code in zip([SEPARATOR, *codes], codes, strict=False):
            if parts and not self.flags[before] & self.flags[code] & JOINED:
                parts.append(" ")
            parts.append(self.shown[code])
        return "".join(parts)

    def _add(self, kind: str, word: str) -> int:
        key = word_key(word)
        code = self._code_of_key.get(key)
        if code is None:
            code = len(self.shown)
            if code >= len(self.flags):
                self.flags = np.concatenate([self.flags, np.zeros_like(self.flags)])
            self.flags[code] = self._flags_of(kind, word)
            self.shown.append(sys.intern(word))
            self._code_of_key[key] = code
            self._new.append(key)
        self._code_of_word[word] = code
        return code

    def _flags_of(self, kind: str, word: str) -> int:
        if kind == "character":
            return CHARACTER | JOINED
        if kind == "kana":
            return JOINED
        if kind in ("number", "measure") or word.isdecimal():
            return MEASURED if kind == "measure" else NUMBER | NO_BEGIN
        if word == "&" or self._says_nothing(word):
            return NO_BEGIN | NO_END
        return NO_BEGIN if len(word) == 1 and word.isascii() else 0
