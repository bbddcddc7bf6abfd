"""A shop's store lies where no other's does, and the default shop's lies where it always did."""

from pathlib import Path

import pytest

from features.catalog.prices import Prices
from features.events.nats.layout import Layout
from features.events.nats.settings import NatsSettings
from features.store.settings import StoreSettings
from features.store.shops import delete_store

EUROS = Prices(currency="EUR")


def test_the_default_shop_keeps_its_paths_its_keys_and_its_project(tmp_path: Path) -> None:
    store = StoreSettings(state=tmp_path)
    assert (store.project, store.prefix) == ("vitrine", "{vitrine}")
    assert store.log_path == tmp_path.resolve() / "events.db"


def test_two_shops_share_no_file_no_key_and_no_project(tmp_path: Path) -> None:
    installation = StoreSettings(
        state=tmp_path, archive=str(tmp_path / "archive"), offline=str(tmp_path / "offline")
    )
    shops = [installation.of_shop(space, EUROS) for space in ("a-1", "b-1")]
    places = [
        {
            store.online_path, store.offline_path, Path(store.registry_path), store.log_path,
            store.catalog_path, store.controls_path, Path(str(store.archive)), store.prefix,
            store.project,
        }
        for store in (installation, *shops)
    ]  # fmt: skip
    assert [len(each) for each in places] == [9, 9, 9]
    assert len(set.union(*places)) == 27
    assert shops[0].prices == EUROS


def test_what_looks_alike_in_another_writing_is_another_project() -> None:
    spaces = ("a-b-1", "a-b1", "ab-1")
    projects = {StoreSettings().of_shop(space, EUROS).project for space in spaces}
    assert len(projects) == 3
    assert all(project.replace("_", "").isalnum() for project in projects)


def test_streams_of_a_shop_are_its_own_and_the_lease_is_the_installations() -> None:
    nats = NatsSettings()
    installation = StoreSettings(kind="redis", nats=nats)
    store = installation.of_shop("a-1", EUROS)
    assert store.nats is not None
    own, all_shops = Layout(store.nats), Layout(nats)
    assert own.lease == all_shops.lease
    assert own.stream("lease") == all_shops.stream("lease")
    names = {layout.stream("events") for layout in (own, all_shops)}
    assert names == {"vitrine_a-1_events", "vitrine_events"}
    assert own.every("event") == "vitrine_a-1.event.>"


def test_a_shop_has_its_share_of_the_bounds() -> None:
    store = StoreSettings(log_max_bytes=1_000_000, shop_share=0.1).of_shop("a-1", EUROS)
    assert store.log_max_bytes == 100_000
    assert StoreSettings().of_shop("a-1", EUROS).log_max_bytes is None


def test_settings_of_a_shop_are_read_again_as_they_were_written() -> None:
    store = StoreSettings(kind="redis", nats=NatsSettings()).of_shop("a-1", EUROS)
    assert StoreSettings.model_validate_json(store.model_dump_json()) == store


def test_the_default_shop_is_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_text("events")
    with pytest.raises(ValueError, match="default"):
        delete_store(StoreSettings(state=tmp_path))
    assert (tmp_path / "events.db").is_file()
