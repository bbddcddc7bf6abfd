"""Versions that are kept as documents: the newest ones, one in use, and the way back."""

import pytest

from features.controls.versions import KeptVersions, UnknownVersionError
from tests.support.fakes import FakeControls

AT_MOST = 3


@pytest.fixture
def kept() -> KeptVersions:
    return KeptVersions(FakeControls(), "things", "things_state", "none", AT_MOST)


def test_what_is_published_is_in_use_and_the_oldest_are_dropped(kept: KeptVersions) -> None:
    assert kept.in_use() == "none"
    for number in range(AT_MOST + 1):
        assert kept.publish({"size": number}) == kept.in_use() == str(number + 1)
    assert [*kept.all()] == ["2", "3", "4"]
    assert kept.all()["4"] == {"size": 3, "version": "4"}


def test_versions_stay_in_the_order_of_their_numbers(kept: KeptVersions) -> None:
    for _ in range(11):
        kept.publish({})
    assert [*kept.all()] == ["9", "10", "11"]


def test_the_version_before_comes_back(kept: KeptVersions) -> None:
    for _ in range(2):
        kept.publish({})
    assert kept.roll_back() == kept.in_use() == "1"
    assert kept.roll_back() == kept.in_use() == "2"


def test_the_version_before_is_kept_even_if_it_is_the_oldest(kept: KeptVersions) -> None:
    for _ in range(AT_MOST):
        kept.publish({})
    kept.use("1")
    kept.publish({})
    assert [*kept.all()] == ["1", "3", "4"]
    assert kept.roll_back() == "1"


def test_a_version_that_is_not_kept_is_refused_and_those_that_are_are_named(
    kept: KeptVersions,
) -> None:
    for _ in range(AT_MOST + 1):
        kept.publish({})
    with pytest.raises(UnknownVersionError, match="version 1 is not kept; 2, 3, 4, none are"):
        kept.use("1")
    assert kept.in_use() == "4"
    kept.use("none")
    assert kept.in_use() == "none"


def test_two_things_in_one_store_do_not_meet() -> None:
    controls = FakeControls()
    one = KeptVersions(controls, "things", "things_state", "none", AT_MOST)
    other = KeptVersions(controls, "others", "others_state", "untrained", AT_MOST)
    one.publish({"size": 1})
    assert (other.in_use(), other.all()) == ("untrained", {})
