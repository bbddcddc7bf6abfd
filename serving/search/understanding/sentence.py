"""A sentence while it is read: folded text that remembers how it was written, clauses, words."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from serving.search.words.analysis import plain_text

# Between digits, a comma or a point is part of a number.
_CLAUSE_END = re.compile(
    r"(?<!\d)(?<!max)(?<!min)(?<!ca)(?<!gr)[,.](?!\d)|(?<=\d)[,.](?![\d-])|(?<!\d)[,.](?=\d)"
    r"|[;!?()。；！？\n]"
    r"|(?<![a-z])(?<!anything )(?<!nothing )(?:but|though|aber|jedoch)(?![a-z])|但是|但"
)
HAN = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{HAN}]+|(?:(?![{HAN}])[^\W_])+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a run of writing without spaces: [start, end) of the folded text."""

    text: str
    start: int
    end: int

    @property
    def spaced(self) -> bool:
        """Whether it is of writing in words."""
        return re.match(f"[{HAN}]", self.text) is None


class Sentence:
    """`plain` is folded as items' texts are; `quote` gives back what was written.

    Whoever understands a part takes it, and nobody reads it again.
    """

    def __init__(self, text: str) -> None:
        self._text = unicodedata.normalize("NFC", text)
        plain: list[str] = []
        origins: list[int] = []
        for place, letter in enumerate(self._text):
            folded = plain_text(letter).replace("\u2019", "'")
            plain.append(folded)
            origins += [place] * len(folded)
        self.plain = "".join(plain)
        self._origins = [*origins, len(self._text)]
        self._taken = bytearray(len(self.plain))
        self.words = [Word(match.group(), *match.span()) for match in _WORD.finditer(self.plain)]
        ends = [*_CLAUSE_END.finditer(self.plain)]
        starts = [0, *(end.end() for end in ends)]
        stops = [*(end.start() for end in ends), len(self.plain)]
        self.clauses = [
            (start, stop) for start, stop in zip(starts, stops, strict=True) if start < stop
        ]

    def quote(self, start: int, end: int) -> str:
        """[start, end) of `plain`, as it was written."""
        return self._text[self._origins[start] : self._origins[end - 1] + 1].strip()

    def is_capital(self, start: int) -> bool:
        """Whether the letter at `start` was written as a capital, though no clause begins there."""
        begins = any(not self.plain[at:start].strip() for at, _ in self.clauses if at <= start)
        return self._text[self._origins[start]].isupper() and not begins

    def take(self, start: int, end: int) -> None:
        """[start, end) is understood, or for certain not to be."""
        self._taken[start:end] = b"\1" * (end - start)

    def is_free(self, start: int, end: int) -> bool:
        """Whether nobody has taken any of [start, end)."""
        return not any(self._taken[start:end])

    def clause_of(self, start: int) -> tuple[int, int]:
        """Where the clause of a place begins and ends."""
        return next((at, end) for at, end in self.clauses if at <= start < end)

    def free_words(self, start: int, end: int) -> Iterator[Word]:
        """The words in [start, end) that nobody has taken; of a run without spaces, the rest."""
        for at, stop in self._free(start, end):
            for match in _WORD.finditer(self.plain, at, stop):
                yield Word(match.group(), *match.span())

    def left(self) -> Iterator[tuple[int, int]]:
        """What nobody has taken, within clauses: [start, end)."""
        for start, end in self.clauses:
            yield from self._free(start, end)

    def _free(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        at = start
        while at < end:
            if self._taken[at]:
                at += 1
                continue
            stop = self._taken.find(1, at, end)
            stop = end if stop < 0 else stop
            yield at, stop
            at = stop
