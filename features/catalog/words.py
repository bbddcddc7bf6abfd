"""Words of item texts and queries."""

import re

WORD = re.compile(r"\w+")


def words(text: str) -> frozenset[str]:
    """The words of a text, lower case, plural s dropped; punctuation and syntax are no words."""
    return frozenset(words_in_order(text))


def words_in_order(text: str) -> list[str]:
    """The distinct `words` of a text, in the order of their first places."""
    return list(dict.fromkeys(word.rstrip("s") or word for word in WORD.findall(text.lower())))
