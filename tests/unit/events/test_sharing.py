"""Whose a guest's entries are where several shoppers used one session."""

import random

import pytest

from features.events.sharing import Sharing

# Two shoppers on one device: the own one from 10 to 20, another from 30 to 40, the own one at 60.
SHARED = Sharing(
    [("s", 10.0, True), ("s", 20.0, True), ("s", 30.0, False), ("s", 40.0, False),
     ("s", 60.0, True), ("theirs", 5.0, False), ("own", 5.0, True),
     ("after", 10.0, False), ("after", 20.0, True)]
)  # fmt: skip


@pytest.mark.parametrize(
    ("session", "at_s", "may_be", "surely"),
    [
        ("s", 5.0, True, True),  # before anybody signed in: the first one's
        ("s", 15.0, True, True),
        ("s", 25.0, True, False),  # signed out, or the next one who has not signed in yet
        ("s", 35.0, False, False),  # between two entries of the other
        ("s", 50.0, True, False),
        ("s", 99.0, True, True),
        ("own", 1.0, True, True),
        ("own", 9.0, True, True),
        ("theirs", 1.0, True, False),  # an erasure calls it the shopper's, and knows why
        ("theirs", 9.0, True, False),
        ("after", 5.0, False, False),  # before the other's sign-in: not the second one's
        ("after", 15.0, True, False),
        ("after", 25.0, True, True),
        ("nobody's", 1.0, True, False),  # what an erasure was told of, and nobody else used
    ],
)
def test_it_is_of_whom_the_session_named_next_to_it(
    session: str, at_s: float, may_be: bool, surely: bool
) -> None:
    assert SHARED.may_be(session, at_s) is may_be
    assert SHARED.surely(session, at_s) is surely


def test_of_two_at_the_same_moment_an_erasure_takes_and_a_copy_leaves() -> None:
    both = Sharing([("s", 10.0, True), ("s", 10.0, False)])
    for at_s in (5.0, 10.0, 15.0):
        assert both.may_be("s", at_s)
        assert not both.surely("s", at_s)


def test_what_is_told_of_it_tells_the_same_of_every_entry() -> None:
    draw = random.Random(7)
    for _ in range(500):
        named = [("s", float(draw.randrange(12)), draw.random() < 0.5) for _ in range(9)]
        whole, told = Sharing(named), Sharing(Sharing(named).told())
        for at_s in (each / 2 for each in range(-1, 25)):
            assert whole.may_be("s", at_s) is told.may_be("s", at_s), (named, at_s)
            assert whole.surely("s", at_s) is told.surely("s", at_s), (named, at_s)


def test_a_long_session_of_one_shopper_is_told_by_its_first_and_last_time() -> None:
    one = Sharing(("s", float(at_s), True) for at_s in range(1_000))
    assert one.told() == (("s", 0.0, True), ("s", 999.0, True))


def test_what_is_surely_the_shoppers_goes_with_an_erasure() -> None:
    for at_s in range(100):
        for session in ("s", "own", "theirs", "after"):
            assert SHARED.may_be(session, at_s) or not SHARED.surely(session, at_s)
