"""What is registered is changed whole, by one at a time, and a name that is used again is new."""

from collections.abc import Mapping
from typing import Any

import pytest

from features.controls.shops import SHOPS, ShopStatus, registered
from serving.errors import ConflictError, UnknownKeyError, UnknownShopError
from serving.shops.registry import registry as module
from serving.shops.registry.definition import ShopDefinition
from serving.shops.registry.registry import Registry
from tests.support.fakes import NOW_S, FakeControls

KEY = {"scopes": ["rank"], "rate_per_s": 100, "sha256": "a" * 64}


@pytest.fixture
def controls() -> FakeControls:
    return FakeControls()


@pytest.fixture
def registry(controls: FakeControls) -> Registry:
    return Registry(controls, lambda: NOW_S)


def test_a_shop_is_kept_as_it_was_defined(registry: Registry) -> None:
    registry.put("outlet", ShopDefinition(title="Outlet", weight=2.0))
    shop = registry.get("outlet")
    assert shop.definition == {"title": "Outlet", "weight": 2.0}
    assert (shop.status, shop.at_ms) == (ShopStatus.ACTIVE, int(NOW_S * 1e3))
    assert shop.space.startswith("outlet-")


def test_another_definition_changes_neither_the_space_nor_the_keys(registry: Registry) -> None:
    before = registry.put("outlet", ShopDefinition())
    registry.put_key("outlet", "pages", KEY)
    after = registry.put("outlet", ShopDefinition(paused=True))
    assert (after.space, after.status) == (before.space, ShopStatus.PAUSED)
    assert after.keys == {"pages": KEY}


def test_a_removed_shop_has_no_keys_and_its_name_waits_for_the_end_of_it(
    registry: Registry, controls: FakeControls
) -> None:
    first = registry.put("outlet", ShopDefinition())
    registry.put_key("outlet", "pages", KEY)
    registry.remove("outlet")
    assert registered(controls)["outlet"].keys == {}
    with pytest.raises(UnknownShopError, match="name"):
        registry.get("outlet")
    with pytest.raises(UnknownShopError, match="name"):
        registry.remove("outlet")
    with pytest.raises(UnknownShopError, match="name"):
        registry.put_key("outlet", "pages", KEY)
    with pytest.raises(ConflictError, match="name: a shop of this name is being removed"):
        registry.put("outlet", ShopDefinition())
    controls.delete(SHOPS, "outlet")  # as ingest does, when nothing is left
    assert registry.put("outlet", ShopDefinition()).space != first.space


def test_the_default_shop_is_not_for_the_api(registry: Registry) -> None:
    with pytest.raises(ConflictError, match="'default' is configured by files"):
        registry.put("default", ShopDefinition())
    with pytest.raises(ConflictError, match="'default' is configured by files"):
        registry.remove("default")
    with pytest.raises(ConflictError, match="'default' is configured by files"):
        registry.put_key("default", "pages", KEY)


def test_shops_and_keys_are_not_without_end(registry: Registry) -> None:
    for number in range(module.MAX_SHOPS):
        registry.put(f"s{number}", ShopDefinition())
    with pytest.raises(ConflictError, match="name: there are 100 shops"):
        registry.put("one-more", ShopDefinition())
    registry.put("s1", ShopDefinition(weight=3))
    for number in range(module.MAX_KEYS):
        registry.put_key("s1", f"k{number}", KEY)
    with pytest.raises(ConflictError, match="key_name: the shop has 20 keys"):
        registry.put_key("s1", "one-more", KEY)
    registry.put_key("s1", "k3", {**KEY, "rate_per_s": 5})
    assert registry.get("s1").keys["k3"]["rate_per_s"] == 5


def test_an_unknown_key_is_named(registry: Registry) -> None:
    registry.put("outlet", ShopDefinition())
    with pytest.raises(UnknownKeyError, match="key_name"):
        registry.delete_key("outlet", "pages")


class Quicker(FakeControls):
    """Somebody else changes the shop just before, so many times."""

    times = 0

    def swap(
        self, kind: str, key: str, before: Mapping[str, Any] | None, document: Mapping[str, Any]
    ) -> bool:
        if self.times and before is not None:
            self.times -= 1
            theirs = {**before, "keys": {**before["keys"], f"theirs-{self.times}": KEY}}
            self.put(kind, key, theirs)
        return super().swap(kind, key, before, document)


def test_of_two_changes_at_once_none_is_lost() -> None:
    controls = Quicker()
    registry = Registry(controls)
    registry.put("outlet", ShopDefinition())
    controls.times = 2
    registry.put_key("outlet", "ours", KEY)
    assert set(registry.get("outlet").keys) == {"ours", "theirs-0", "theirs-1"}


def test_what_another_release_wrote_is_left_as_it_is(
    registry: Registry, controls: FakeControls
) -> None:
    controls.put(SHOPS, "outlet", {"status": "sleeping"})
    assert registry.all() == {}
    with pytest.raises(ConflictError, match="another release"):
        registry.put("outlet", ShopDefinition())
    assert controls.all(SHOPS) == {"outlet": {"status": "sleeping"}}
