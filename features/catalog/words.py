"""Words of item texts and queries."""

import re
import unicodedata
from itertools import groupby

WORD = re.compile(r"\w+")
_QUERY_WORDS = 2
_QUERY_CHARS = 12  # of a word where letters have no capitals: Chinese has no spaces


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


def query_for(title: str) -> str:
    """What someone who wants the item of this title might type: its first words, in any script.

    Short words and what begins with a digit ("of", "8", "750ml") are passed over where there are
    others; where letters have no capitals, as in Chinese, a short word says enough.
    """
    text = unicodedata.normalize("NFC", title).lower()
    found = ["".join(run) for inside, run in groupby(text, _in_word) if inside]
    telling = [word for word in found if word[0].isalpha() and (len(word) >= 3 or _uncased(word))]
    first = (telling or found)[:_QUERY_WORDS]
    return " ".join(word[:_QUERY_CHARS] if _uncased(word) else word for word in first) or title[:64]


def _in_word(char: str) -> bool:
    # Not \w: it leaves out the vowel signs of Hindi and Thai, and splits their words there.
    return unicodedata.category(char)[0] in "LMN"


def _uncased(word: str) -> bool:
    return word.upper() == word
