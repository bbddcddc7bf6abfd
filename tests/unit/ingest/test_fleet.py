"""One process folds every shop's log, follows what is registered, ends what is removed."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from features.controls.priors import PRIORS, document_of
from features.controls.shops import SHOPS, Registered, ShopStatus
from features.controls.store import Controls
from features.events.event import BehaviorEvent, EventType
from features.events.lease import UNSHARED
from features.ingest.fleet import GRACE_S, Fleet
from features.ingest.settings import IngestSettings
from features.store.backends import open_catalog, open_controls, open_event_log
from features.store.feature_store import open_current
from features.store.online import OnlineFeatures
from features.store.settings import StoreSettings
from features.store.shops import shop_store, store_named
from tests.support.live_shop import ITEMS, wait_until


class Installation:
    """A store with registered shops, and a fleet over them that is not started."""

    def __init__(self, state: Path, archive: str | None = None) -> None:
        self.store = StoreSettings(state=state, archive=archive)
        self.controls: Controls = open_controls(self.store)
        self.now_s = time.time()
        self.fleet = Fleet(
            IngestSettings(store=self.store),
            open_controls(self.store),
            UNSHARED,
            clock=lambda: self.now_s,
        )

    def add(self, name: str, space: str | None = None) -> StoreSettings:
        shop = Registered(name, space or f"{name}-1", ShopStatus.ACTIVE, 0, {}, {})
        self.controls.put(SHOPS, name, shop.document)
        store = shop_store(self.store, shop)
        with closing(open_catalog(store)) as catalog:
            catalog.upsert(ITEMS)
        return store

    def remove(self, name: str) -> None:
        shop = Registered.of(name, self.controls.all(SHOPS)[name])
        gone = shop.now(ShopStatus.REMOVED, int(self.now_s * 1e3))
        self.controls.put(SHOPS, name, gone.document)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    found = Installation(tmp_path / "state")
    yield found
    found.fleet.__exit__()
    found.controls.close()


def click(user_id: str, item_id: str = "i1") -> BehaviorEvent:
    return BehaviorEvent(f"{user_id}-{item_id}", EventType.CLICK, time.time() - 1, user_id=user_id,
                         item_id=item_id)  # fmt: skip


def tell(store: StoreSettings, *events: BehaviorEvent) -> None:
    with closing(open_event_log(store)) as log:
        log.append(events)


def known(store: StoreSettings, user_id: str) -> bool:
    with closing(OnlineFeatures(open_current(store))) as online:
        return user_id in online.read_users([user_id])


def test_events_of_each_shop_become_features_of_that_shop(installation: Installation) -> None:
    one, other = installation.add("one"), installation.add("other")
    tell(one, click("ann"))
    tell(other, click("bob"))
    with installation.fleet:
        wait_until(lambda: known(one, "ann") and known(other, "bob"))
    assert not known(one, "bob")
    assert not known(other, "ann")


def test_a_shop_that_is_added_while_it_runs_is_folded_too(installation: Installation) -> None:
    with installation.fleet:
        late = installation.add("late")
        tell(late, click("ann"))
        wait_until(lambda: known(late, "ann"))


def test_a_removed_shop_is_deleted_whole_after_replicas_let_it_go(
    installation: Installation,
) -> None:
    store, other = installation.add("one"), installation.add("other")
    tell(store, click("ann"))
    installation.fleet.follow()
    installation.remove("one")
    installation.fleet.follow()
    assert store.log_path.is_file()
    installation.now_s += GRACE_S + 1
    installation.fleet.follow()
    assert not store.state.exists()
    assert set(installation.controls.all(SHOPS)) == {"other"}
    assert other.state.exists()


def test_a_removed_shop_is_deleted_after_its_last_piece_is_archived(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "state", archive=str(tmp_path / "archive"))
    store = installation.add("one")
    tell(store, click("ann"))
    installation.fleet.follow()
    member = installation.fleet._members["one"]
    while not member.step():
        pass
    assert store.archive is not None
    with member._keeping:  # a piece is on its way to a slow object store
        installation.remove("one")
        installation.now_s += GRACE_S + 1
        installation.fleet.follow()
        assert store.state.exists()
    member.keep(archiving=True)  # its turn came just then
    assert not Path(store.archive).exists()
    installation.fleet.follow()
    assert not store.state.exists()
    assert installation.controls.all(SHOPS) == {}


def test_what_a_removed_shop_has_shared_is_deleted_too(installation: Installation) -> None:
    installation.add("one")
    installation.controls.put(PRIORS, "one-1", document_of({"hats": (20.0, 1)}, 0))
    installation.remove("one")
    installation.now_s += GRACE_S + 1
    installation.fleet.follow()
    assert installation.controls.all(PRIORS) == {}


def test_a_removal_that_a_crash_broke_off_is_ended_by_the_next_process(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = installation.add("one")
    tell(store, click("ann"))
    installation.remove("one")
    installation.now_s += GRACE_S + 1
    store.log_path.unlink()  # half of it is gone
    installation.fleet.follow()
    assert not store.state.exists()
    assert installation.controls.all(SHOPS) == {}


def test_a_name_that_is_used_again_has_nothing_of_before(installation: Installation) -> None:
    first = installation.add("one", "one-1")
    with installation.fleet:
        tell(first, click("ann"))
        wait_until(lambda: known(first, "ann"))
        installation.remove("one")
        installation.now_s += GRACE_S + 1
        wait_until(lambda: not installation.controls.all(SHOPS))
        second = installation.add("one", "one-2")
        tell(second, click("bob"))
        wait_until(lambda: known(second, "bob"))
    assert not known(second, "ann")


def test_a_flooded_shop_holds_no_other_up(installation: Installation) -> None:
    flooded, quiet = installation.add("flooded"), installation.add("quiet")
    tell(flooded, *(replace(click(f"u{n}"), event_id=f"f{n}") for n in range(20_000)))
    with installation.fleet:
        wait_until(lambda: known(flooded, "u1"))
        tell(quiet, click("ann"))
        wait_until(lambda: known(quiet, "ann"))
        assert not known(flooded, "u19999")


def test_a_command_names_a_shop(installation: Installation) -> None:
    store = installation.add("one")
    assert store_named(installation.store, "one") == store
    assert store_named(installation.store, "default") is installation.store
    with pytest.raises(ValueError, match="no shop is called 'two': there are default, one"):
        store_named(installation.store, "two")
