"""What counts as a word."""

from features.catalog.words import words


def test_words_are_compared_without_case_and_plural() -> None:
    assert words("Dresses, DRESS; (s) it's") == {"dresse", "dre", "s", "it"}
