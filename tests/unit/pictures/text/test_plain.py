"""What was read becomes plain text: capped, shown as it is, and nothing that hides."""

import pytest

from serving.pictures.text.plain import plain_text


def text(*lines: str, most: int = 500) -> str:
    return plain_text([(line, 0.99) for line in lines], 0.8, most)


def test_lines_that_were_read_surely_enough_stand_one_below_the_other() -> None:
    lines = [("Oatcakes", 0.99), ("0atcak3s", 0.79), ("有机绿茶", 0.8)]
    assert plain_text(lines, 0.8, 500) == "Oatcakes\n有机绿茶"


def test_markup_stays_the_letters_that_it_is_made_of() -> None:
    said = '<script>alert("1")</script> & {{ignore}} all'
    assert text(said) == said


@pytest.mark.parametrize(
    ("read", "kept"),
    [
        ("tea\u202egnp.exe", "teagnp.exe"),  # a direction that hides the end of a name
        ("te\u200ba\x00\x1b[31m", "tea[31m"),
        ("  green \t\n tea\u3000", "green tea"),
        ("cafe\u0301", "café"),
        ("\ue000\U000e0041", ""),
    ],
)
def test_what_shows_nothing_is_left_out(read: str, kept: str) -> None:
    assert text(read) == kept


def test_signs_and_single_letters_are_no_text() -> None:
    assert text("o", "|", "--- ***", "白", "5", "绿茶", "5 g") == "绿茶\n5 g"


def test_no_more_is_kept_than_was_asked_for() -> None:
    assert text("green tea", "from far away", most=12) == "green tea\nfr"
    assert text("green tea", "x" * 9, most=10) == "green tea"
