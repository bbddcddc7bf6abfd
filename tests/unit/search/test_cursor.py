"""What was shown does not come again."""

import pytest

from serving.search.cursor import MOST, NOTHING_SHOWN, Cursor, CursorError


def test_a_cursor_remembers_every_page() -> None:
    first = NOTHING_SHOWN.after(["a", "b"])
    second = Cursor.read(first).after(["c"])
    assert Cursor.read(second).unseen(["a", "b", "c", "d"]).tolist() == [False, False, False, True]


def test_without_a_cursor_nothing_was_shown() -> None:
    assert Cursor.read(None) is NOTHING_SHOWN
    assert NOTHING_SHOWN.unseen(["a"]).all()


@pytest.mark.parametrize("text", ["x", "äöü", "AAAA!", "AAA", "A" * 12_000, "=", "AA=="])
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorError):
        Cursor.read(text)


def test_a_cursor_ends_before_it_grows_without_bound() -> None:
    full = NOTHING_SHOWN.after([str(n) for n in range(MOST)])
    assert full is not None
    assert Cursor.read(full).after(["one more"]) is None
