"""What counts as a word."""

from features.catalog.words import folded, words


def test_words_are_compared_without_case_and_plural() -> None:
    assert words("Dresses, DRESS; (s) it's") == {"dresse", "dre", "s", "it"}


def test_folded_texts_meet_whatever_their_capitals_widths_and_spacing() -> None:
    assert (
        folded(" \uff24\uff41\uff49\uff52\uff59\u3000 Products ")
        == folded("DAIRY products")
        == "dairy products"
    )
    assert folded("Straße") == folded("STRASSE")
    assert folded("Cafe\u0301") == folded("CAFÉ")
    assert folded("ﾊﾞｯｸﾞ") == folded("バッグ")
    assert folded("Tea") != folded("Té")
