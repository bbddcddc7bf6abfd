"""Words that name nothing: articles, politeness, and what follows "no" without being a thing."""

from pathlib import Path

from serving.search.words.stop_words import StopWords

_FOLDER = Path(__file__).parent
_TOO_MUCH = ("太", "很", "那么", "超过", "过于")


class Fillers:
    """Of the languages that sentences are read in. fillers.txt has words beside the stop words;
    no_things.txt what may stand behind "no", "not" or "kein", and is nothing that an item has;
    free_of.txt what products are said to be free of, also without a hyphen."""

    def __init__(self) -> None:
        self._stop_words = [StopWords(language) for language in ("en", "de")]
        self._fillers = frozenset((_FOLDER / "fillers.txt").read_text().split())
        self._no_things = frozenset((_FOLDER / "no_things.txt").read_text().split())
        self._free_of = frozenset((_FOLDER / "free_of.txt").read_text().split())

    def __call__(self, word: str) -> bool:
        """Whether a folded word names nothing."""
        return word in self._fillers or any(is_stop_word(word) for is_stop_word in self._stop_words)

    def is_no_thing(self, word: str) -> bool:
        """Whether it is nothing that an item could have."""
        return word in self._no_things or word.startswith(_TOO_MUCH) or self(word)

    def is_left_out(self, word: str) -> bool:
        """Whether a product that is "<word> free" is without it."""
        return word in self._free_of
