"""What was read on a picture, as plain text: nobody's markup, and no character that hides."""

import unicodedata
from collections.abc import Sequence

Line = tuple[str, float]
"""What a line says, and how surely, 0..1."""


def plain_text(lines: Sequence[Line], min_confidence: float, max_characters: int) -> str:
    """The lines that were read surely enough, one below the other; "" when nothing is left.

    Characters that show nothing (controls, directions, joiners) are left out, and so are lines of
    one letter or of signs alone: a knob reads as an "o", a battery as a 白.
    """
    kept = [_shown(text) for text, confidence in lines if confidence >= min_confidence]
    return "\n".join(line for line in kept if _says_something(line))[:max_characters].strip()


def _shown(text: str) -> str:
    visible = (
        " " if letter.isspace() else letter
        for letter in unicodedata.normalize("NFC", text)
        if letter.isspace() or unicodedata.category(letter)[0] != "C"
    )
    return " ".join("".join(visible).split())


def _says_something(line: str) -> bool:
    return sum(map(str.isalnum, line)) > 1
