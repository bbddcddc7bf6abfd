"""The contract of the set of held events, over SQLite and over a real Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from features.events.held import Held, HeldEvents, RedisHeldEvents, SqliteHeldEvents


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HeldEvents]:
    opened: HeldEvents
    if request.param == "sqlite":
        opened = SqliteHeldEvents(tmp_path / "events.db")
    else:
        client = Redis(port=request.getfixturevalue("redis_port"))
        client.flushall()
        opened = RedisHeldEvents(client)
    yield opened
    opened.close()


def test_what_is_held_is_told_in_order_and_dropped_by_position(held: HeldEvents) -> None:
    assert held.all() == []
    held.hold([Held(10, "tea", 5.5), Held(9, "\u8336", 5.0)])
    held.hold([Held(2, "tea", 6.0)])
    assert held.all() == [Held(2, "tea", 6.0), Held(9, "\u8336", 5.0), Held(10, "tea", 5.5)]
    held.drop([9, 77])
    held.drop([])
    assert [event.seq for event in held.all()] == [2, 10]


def test_what_is_held_again_stays_as_it_was(held: HeldEvents) -> None:
    held.hold([Held(1, "tea", 5.0)])
    held.hold([Held(1, "tea", 9.0)])
    assert held.all() == [Held(1, "tea", 5.0)]
