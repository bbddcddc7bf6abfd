"""A replica opens, changes and closes shops while it serves, and one that fails stops no other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from features.controls.priors import PRIORS, document_of
from features.controls.shops import SHOPS, Registered
from serving.errors import ShopOpeningError
from serving.shops.registry.definition import ShopDefinition
from serving.shops.registry.following import Following
from serving.shops.registry.opening import OpenShop
from serving.shops.registry.registry import Registry
from serving.shops.registry.rounds import Rounds
from serving.shops.shop import Shop, Shops
from tests.support.fakes import FakeControls


@dataclass
class Items:
    """Of a shop, as far as they are looked at here."""

    table: tuple[()] = ()
    prior: Mapping[str, float] = field(default_factory=dict)

    def take_prior(self, purchases: Mapping[str, float]) -> None:
        self.prior = purchases


@dataclass
class _Shop:
    """A `Shop`, as far as it is looked at here."""

    name: str
    items: Items = field(default_factory=Items)
    alerts: Any = field(default_factory=lambda: type("Alerts", (), {"stop": lambda self: None})())


@dataclass
class Opened:
    """An `OpenShop` that says what became of it."""

    entry: Registered
    fails: bool = False
    told: list[str] = field(default_factory=list)

    @property
    def shop(self) -> Shop:
        return cast(Shop, self._shop)

    def __post_init__(self) -> None:
        self._shop = _Shop(self.entry.name)

    def load(self) -> None:
        self.told.append("load")
        if self.fails:
            raise ConnectionError("down")

    def close(self) -> None:
        self.told.append("close")

    def refuse(self) -> None:
        self.told.append("refuse")

    def forget(self) -> None:
        self.told.append("forget")


class Replica:
    """Follows fake controls, and has opened what is in `opened`."""

    def __init__(self) -> None:
        self.controls, self.now_s = FakeControls(), 0.0
        self.registry = Registry(self.controls)
        self.shops = Shops([cast(Shop, _Shop("default"))])
        self.opened: list[Opened] = []
        self.failing: set[str] = set()
        self.keys: list[Mapping[str, Registered]] = []
        self.rounds = Rounds(1.0)
        self.following = Following(
            self.controls, self.shops, [self], self._open, self.rounds, lambda: self.now_s
        )

    def follow(self, shops: Mapping[str, Registered]) -> None:
        self.keys.append(shops)

    def _open(self, entry: Registered) -> OpenShop:
        self.opened.append(Opened(entry, entry.name in self.failing))
        return cast(OpenShop, self.opened[-1])

    def names(self) -> list[str]:
        return [shop.name for shop in self.shops.all()]


@pytest.fixture
def replica() -> Replica:
    return Replica()


def test_a_new_shop_is_opened_and_its_keys_are_known(replica: Replica) -> None:
    replica.registry.put("outlet", ShopDefinition())
    replica.following.follow()
    assert replica.names() == ["default", "outlet"]
    assert [set(shops) for shops in replica.keys] == [{"outlet"}]


def test_what_has_not_changed_is_left_alone(replica: Replica) -> None:
    replica.registry.put("outlet", ShopDefinition())
    for _ in range(3):
        replica.following.follow()
    assert len(replica.opened) == len(replica.keys) == 1


def test_a_weight_or_a_pause_opens_nothing_anew_and_rules_do(replica: Replica) -> None:
    replica.registry.put("outlet", ShopDefinition())
    replica.following.follow()
    replica.registry.put("outlet", ShopDefinition(weight=2, paused=True))
    replica.following.follow()
    assert (len(replica.opened), len(replica.keys)) == (1, 2)
    replica.registry.put("outlet", ShopDefinition(rules={"diversity": {"max_same": 1}}))
    replica.following.follow()
    first, second = replica.opened
    assert replica.shops.of("outlet") is second.shop
    assert first.told == ["load"]  # requests that began with it are under way
    replica.now_s += 60
    replica.following.follow()
    assert (first.told, second.told) == (["load", "close"], ["load"])


def test_a_removed_shop_is_gone_at_once_and_closed_later(replica: Replica) -> None:
    replica.registry.put("outlet", ShopDefinition())
    replica.following.follow()
    replica.registry.remove("outlet")
    replica.following.follow()
    assert replica.names() == ["default"]
    with pytest.raises(ShopOpeningError):
        replica.shops.of("outlet")
    replica.now_s += 60
    replica.following.follow()
    assert replica.opened[0].told == ["load", "refuse", "close", "forget"]


def test_a_name_that_is_used_again_is_another_shop(replica: Replica) -> None:
    replica.registry.put("outlet", ShopDefinition())
    replica.following.follow()
    replica.registry.remove("outlet")
    replica.controls.delete(SHOPS, "outlet")
    replica.registry.put("outlet", ShopDefinition())
    replica.following.follow()
    first, second = replica.opened
    assert first.entry.space != second.entry.space
    assert replica.shops.of("outlet") is second.shop


def test_a_shop_that_cannot_be_opened_stops_no_other_and_is_tried_again(replica: Replica) -> None:
    replica.failing = {"broken"}
    for name in ("broken", "outlet"):
        replica.registry.put(name, ShopDefinition())
    replica.following.follow()
    assert replica.names() == ["default", "outlet"]
    assert replica.opened[0].told == ["load", "close"]
    replica.following.follow()
    assert len(replica.opened) == 2  # not at once
    replica.failing = set()
    replica.now_s += 60
    replica.following.follow()
    assert sorted(replica.names()) == ["broken", "default", "outlet"]


def test_a_store_that_is_away_takes_no_shop_away(replica: Replica) -> None:
    replica.registry.put("outlet", ShopDefinition())
    replica.following.follow()
    replica.controls.error = ConnectionError("refused")
    with pytest.raises(ConnectionError):
        replica.following.follow()
    assert replica.names() == ["default", "outlet"]


def prior(replica: Replica, name: str) -> Mapping[str, float]:
    return cast(_Shop, replica.shops.of(name)).items.prior


def test_what_a_group_shares_reaches_those_that_share_too(replica: Replica) -> None:
    shares = ShopDefinition(group="shoes", shares_priors=True)
    kept = replica.registry.put("giver", shares)
    replica.registry.put("taker", shares)
    replica.registry.put("silent", ShopDefinition(group="shoes"))
    replica.registry.put("elsewhere", ShopDefinition(group="books", shares_priors=True))
    replica.controls.put(PRIORS, kept.space, document_of({"boots": (30.0, 10)}, 0))
    replica.following.follow()
    assert prior(replica, "taker") == {"boots": 1.0}
    assert [prior(replica, name) for name in ("giver", "silent", "elsewhere")] == [{}, {}, {}]
    replica.registry.put("giver", ShopDefinition(group="shoes"))
    replica.following.follow()
    assert prior(replica, "taker") == {}, "a consent that is taken back counts at once"


def test_new_counts_of_a_group_are_taken_over_within_seconds(replica: Replica) -> None:
    shares = ShopDefinition(group="shoes", shares_priors=True)
    kept = replica.registry.put("giver", shares)
    replica.registry.put("taker", shares)
    replica.following.follow()
    assert prior(replica, "taker") == {}
    replica.controls.put(PRIORS, kept.space, document_of({"boots": (30.0, 10)}, 0))
    replica.now_s += 10.0
    replica.following.follow()
    assert prior(replica, "taker") == {"boots": 1.0}
