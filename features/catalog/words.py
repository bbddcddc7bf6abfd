"""Words of item texts and queries."""

import re
import unicodedata

WORD = re.compile(r"\w+")


def words(text: str) -> frozenset[str]:
    """The words of a text, lower case, plural s dropped; punctuation and syntax are no words."""
    return frozenset(words_in_order(text))


def words_in_order(text: str) -> list[str]:
    """The distinct `words` of a text, in the order of their first places."""
    return list(dict.fromkeys(word.rstrip("s") or word for word in WORD.findall(text.lower())))


def folded(text: str) -> str:
    """The text as it is compared: capitals, widths and forms of letters, and spacing do not count.

    NFKC (UAX #15) and Unicode's full case folding: "Straße " is "strasse".
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(plain.split())
