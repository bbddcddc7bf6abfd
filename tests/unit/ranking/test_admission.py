"""Permits for rankings are shared fairly between shops, by their weights."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from features.controls.shops import Registered, ShopStatus
from serving.errors import OverloadedError
from serving.ranking.admission import Admission
from serving.ranking.settings import AdmissionSettings
from serving.telemetry.stages import Stages


@dataclass(eq=False)
class Ranking:
    """A request that works until it is told to end."""

    shop: str
    end: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    @property
    def refused(self) -> bool:
        assert self.task is not None
        return self.task.done() and isinstance(self.task.exception(), OverloadedError)


class Desk:
    """Admission with a clock that is set."""

    def __init__(self, **settings: Any) -> None:
        self.now_s = 0.0
        self.admission = Admission(AdmissionSettings(**settings), lambda: self.now_s)
        self.working: list[Ranking] = []
        self.began: list[str] = []
        self.all: list[Ranking] = []

    def weigh(self, weights: Mapping[str, float]) -> None:
        self.admission.follow(
            {
                name: Registered(name, name, ShopStatus.ACTIVE, 0, {"weight": weight}, {})
                for name, weight in weights.items()
            }
        )

    async def ask(self, shop: str, times: int = 1, budget_s: float = 60.0) -> list[Ranking]:
        asked = [Ranking(shop) for _ in range(times)]
        for ranking in asked:
            ranking.task = asyncio.create_task(self._work(ranking, budget_s))
        self.all += asked
        await settled()
        return asked

    async def finish(self, ranking: Ranking | None = None, after_s: float = 0.01) -> Ranking:
        """The one that has worked longest, or this one."""
        ranking = ranking or self.working[0]
        self.now_s += after_s
        ranking.end.set()
        await settled()
        return ranking

    def at_work(self) -> Counter[str]:
        return Counter(ranking.shop for ranking in self.working)

    async def _work(self, ranking: Ranking, budget_s: float) -> None:
        deadline_s = time.monotonic() + budget_s
        async with self.admission.turn(ranking.shop, deadline_s, Stages()):
            self.working.append(ranking)
            self.began.append(ranking.shop)
            await ranking.end.wait()
            self.working.remove(ranking)


async def settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


@pytest.fixture
async def desks() -> AsyncIterator[list[Desk]]:
    """Desks whose requests end with the test."""
    made: list[Desk] = []
    yield made
    tasks = [each.task for desk in made for each in desk.all if each.task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def desk(desks: list[Desk]) -> Desk:
    desks.append(Desk(max_concurrent_rankings=6, max_ongoing_rankings=50))
    return desks[-1]


@pytest.fixture
def one(desks: list[Desk]) -> Desk:
    """With a single permit."""
    desks.append(Desk(max_concurrent_rankings=1, max_ongoing_rankings=200))
    return desks[-1]


async def test_a_shop_that_asks_alone_has_all_permits(desk: Desk) -> None:
    await desk.ask("noisy", 20)
    assert desk.at_work() == {"noisy": 6}


async def test_a_flood_leaves_another_shop_its_share(desk: Desk) -> None:
    await desk.ask("noisy", 40)
    await desk.ask("quiet", 5)
    for _ in range(3):  # all permits are taken: the next that are free are the quiet shop's
        await desk.finish()
    assert desk.at_work() == {"noisy": 3, "quiet": 3}
    for _ in range(10):
        await desk.finish(next(each for each in desk.working if each.shop == "noisy"))
    assert desk.at_work() == {"noisy": 3, "quiet": 3}


async def test_while_another_shop_asks_now_and_then_its_share_is_not_lent(desk: Desk) -> None:
    (first,) = await desk.ask("quiet")
    await desk.ask("noisy", 20)
    await desk.finish(first)
    assert desk.at_work() == {"noisy": 3}
    await desk.ask("quiet", 3)
    assert desk.at_work() == {"noisy": 3, "quiet": 3}, "it waits for nobody"


async def test_what_nobody_has_asked_for_is_lent(desk: Desk) -> None:
    (first,) = await desk.ask("quiet")
    await desk.ask("noisy", 20)
    await desk.finish(first)
    await desk.finish(after_s=1.1)
    assert desk.at_work() == {"noisy": 6}


async def test_shops_are_served_by_their_weights(desk: Desk) -> None:
    desk.weigh({"large": 3, "small": 1})
    await desk.ask("small", 8)
    await desk.ask("large", 24)
    for _ in range(60):
        await desk.finish()
        await desk.ask("small")
        await desk.ask("large")
    # 4.5 and 1.5 permits: who gets the sixth, turns.
    begun = Counter(desk.began[-40:])
    assert abs(begun["large"] - 30) <= 2, begun


async def test_the_default_shop_has_the_weight_of_the_settings(desks: list[Desk]) -> None:
    desk = Desk(max_concurrent_rankings=6, max_ongoing_rankings=50, default_weight=2)
    desks.append(desk)
    await desk.ask("default")
    await desk.ask("outlet", 8)
    await desk.ask("default", 8)
    assert desk.at_work() == {"default": 4, "outlet": 2}


async def test_a_new_weight_counts_at_once(desk: Desk) -> None:
    await desk.ask("one", 20)
    await desk.ask("two", 20)
    for _ in range(6):
        await desk.finish()
    assert desk.at_work() == {"one": 3, "two": 3}
    desk.weigh({"two": 5})
    desk.now_s += 0.2
    await desk.ask("two")
    for _ in range(6):
        await desk.finish(next(each for each in desk.working if each.shop == "one"))
        if desk.at_work()["one"] == 1:
            break
    assert desk.at_work() == {"one": 1, "two": 5}


async def test_who_has_long_rankings_has_fewer_turns(one: Desk) -> None:
    await one.ask("long", 60)
    await one.ask("short", 60)
    for _ in range(60):
        slow = one.working[0].shop == "long"
        await one.finish(after_s=0.3 if slow else 0.1)
    begun = Counter(one.began[20:])
    assert 2.4 < begun["short"] / begun["long"] < 3.6, begun


async def test_who_was_idle_saves_nothing_up(one: Desk) -> None:
    await one.ask("busy", 100)
    for _ in range(50):
        await one.finish(after_s=0.1)
    await one.ask("idle", 40)
    for _ in range(20):
        await one.finish(after_s=0.1)
    assert abs(Counter(one.began[-20:])["busy"] - 10) <= 1


async def test_of_many_shops_none_is_left_out(desk: Desk) -> None:
    shops = [f"shop-{number}" for number in range(10)]
    for shop in shops:
        await desk.ask(shop, 4)
    for _ in range(26):
        await desk.finish()
    begun = Counter(desk.began)
    assert set(begun) == set(shops)
    assert min(begun.values()) >= 2, begun


async def test_where_no_more_can_wait_the_flood_loses_its_newest(desks: list[Desk]) -> None:
    desk = Desk(max_concurrent_rankings=2, max_ongoing_rankings=5)
    desks.append(desk)
    flood = await desk.ask("noisy", 5)
    (more,) = await desk.ask("noisy")
    assert more.refused, "it would only push out its own"
    (other,) = await desk.ask("quiet")
    assert [each.refused for each in flood] == [False, False, False, False, True]
    assert not other.refused
    await desk.finish()
    assert other in desk.working


async def test_a_weight_counts_for_room_to_wait_too(desks: list[Desk]) -> None:
    desk = Desk(max_concurrent_rankings=1, max_ongoing_rankings=4)
    desks.append(desk)
    desk.weigh({"large": 3, "small": 1})
    await desk.ask("large", 3)
    (kept,) = await desk.ask("small")
    (more,) = await desk.ask("small")
    assert (kept.refused, more.refused) == (False, True)


async def test_who_leaves_takes_no_turn_with_him(one: Desk) -> None:
    (first, leaving, _) = await one.ask("shop", 3)
    assert leaving.task is not None
    leaving.task.cancel()
    await one.finish(first)
    assert one.at_work() == {"shop": 1}
    # He leaves at the very moment at which his turn comes.
    await one.ask("other", 2)
    waiting = [each for each in one.all if each.shop == "other"]
    one.working[0].end.set()
    await asyncio.sleep(0)
    assert one.working == [], "the turn is given, and not yet taken"
    assert waiting[0].task is not None
    waiting[0].task.cancel()
    await settled()
    assert one.working == [waiting[1]]
    await one.finish()
    assert one.admission.spare


async def test_no_turn_in_half_of_the_budget_is_a_refusal(one: Desk) -> None:
    await one.ask("shop")
    (late,) = await one.ask("other", budget_s=0.02)
    await asyncio.sleep(0.03)
    assert late.refused
    await one.finish()
    assert one.admission.spare
