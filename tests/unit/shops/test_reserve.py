"""What is worth least is refused first, and a store that says nothing takes everything."""

import pytest

from features.events.event import EventType
from serving.shops.reserve import Reserve
from tests.support.fakes import FakeSpace


@pytest.mark.parametrize(
    ("taken", "refused"),
    [
        (799, set()),
        (800, {"rankings"}),
        (899, {"rankings"}),
        (900, {"rankings", "impression", "view", "dwell"}),
        (949, {"rankings", "impression", "view", "dwell"}),
        (950, {"rankings", "items"} | set(EventType) - {"purchase", "return"}),
        (2_000, {"rankings", "items"} | set(EventType) - {"purchase", "return"}),
    ],
)
def test_a_store_gives_up_one_thing_after_the_other(taken: int, refused: set[str]) -> None:
    reserve = Reserve(FakeSpace(taken))
    found = {kind.value for kind in EventType if not reserve.takes(kind)}
    found |= {"rankings"} if not reserve.takes_rankings() else set()
    found |= {"items"} if not reserve.takes_items() else set()
    assert found == refused


def test_the_store_is_asked_every_half_second_and_not_for_each_event() -> None:
    now_s = 100.0
    space = FakeSpace(999)
    reserve = Reserve(space, 0.5, lambda: now_s)
    assert not reserve.takes(EventType.VIEW)
    space.taken = 0
    now_s += 0.4
    assert not reserve.takes(EventType.VIEW)
    now_s += 0.2
    assert reserve.takes(EventType.VIEW)


def test_a_store_that_does_not_answer_is_left_to_the_write_itself() -> None:
    reserve = Reserve(FakeSpace(999, OSError("down")), every_s=0)
    assert reserve.takes_rankings()
    assert reserve.takes(EventType.IMPRESSION)
