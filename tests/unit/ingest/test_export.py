"""What a shop has collected becomes a data set that reads back as it was."""

import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.behavior.replay import item_table
from features.catalog.item import Item
from features.datasets.format import read_dataset, write_dataset
from features.events.event import BehaviorEvent, EventType
from features.events.log import RankingRecord
from features.ingest import export, neighbor_job
from features.ingest.__main__ import open_ingest
from features.ingest.export import collected
from features.ingest.settings import IngestSettings
from features.store.backends import open_catalog, open_event_log
from features.store.settings import StoreSettings, embedded_store

ITEMS = [
    Item("oat", "Oat Drink", category="Dairy > Milk", brand="Norvane", price=2.5, created_s=10.0),
    Item("rye", "Rye Bread", available=False, image_url="/rye.png", attributes={"grain": "rye"}),
    Item("jam", "Plum Jam"),
]


def store(folder: Path, events: list[BehaviorEvent]) -> StoreSettings:
    settings = StoreSettings(state=folder)
    catalog = open_catalog(settings)
    catalog.upsert(ITEMS)
    catalog.close()
    log = open_event_log(settings)
    if events:
        log.append(events)
    log.close()
    return settings


def test_events_and_items_read_back_as_they_were_posted(tmp_path: Path) -> None:
    late = BehaviorEvent("b", EventType.PURCHASE, 50.0, "ann", "s1", "oat", None, "r1", 3, 2.5)
    early = BehaviorEvent("a", EventType.SEARCH, 40.0, session_id="s1", query="oat drink")
    settings = store(tmp_path / "state", [late, early])
    write_dataset(collected(settings), tmp_path / "out")
    found = read_dataset(tmp_path / "out")
    assert found.events["event_id"].tolist() == ["a", "b"]
    purchase = found.events.iloc[1]
    assert (purchase["user_id"], purchase["ranking_id"], purchase["position"]) == ("ann", "r1", 3)
    assert purchase["value"] == 2.5
    assert math.isnan(found.events.iloc[0]["value"])
    oat = found.items.set_index("item_id").loc["oat"]
    assert (oat["brand"], oat["price"], oat["created_at"]) == ("Norvane", 2.5, 10.0)
    assert found.info.replay == "as_is"
    assert repr(ITEMS[1]) in repr(item_table(found).items)


def test_an_export_compares_prices_as_the_shop_does(tmp_path: Path) -> None:
    """So that a model is trained on what serving shows it."""
    folder = tmp_path / "state"
    store(folder, [BehaviorEvent("a", EventType.CLICK, 5.0, "ann", None, "tea")])
    (folder / "prices.json").write_text('{"currency": "EUR", "rates": {"JPY": 0.006}}')
    settings = embedded_store(folder)
    catalog = open_catalog(settings)
    catalog.upsert([Item("tea", "Tea", price=450, currency="JPY")])
    catalog.close()
    write_dataset(collected(settings), tmp_path / "out")
    found = item_table(read_dataset(tmp_path / "out"))
    assert found.price[found.row_of["tea"]] == pytest.approx(2.7)
    assert found.items[found.row_of["tea"]].currency == "JPY"


def test_what_was_erased_is_not_exported(tmp_path: Path) -> None:
    events = [BehaviorEvent(user, EventType.CLICK, 5.0, user, None, "oat") for user in "ab"]
    settings = store(tmp_path / "state", events)
    log = open_event_log(settings)
    log.erase_user("a")
    log.close()
    assert collected(settings).events["user_id"].tolist() == ["b"]


def test_a_folder_without_a_log_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["export", "--state", str(tmp_path), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", command)
    assert export.main() == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_log_without_events_is_named_and_nothing_is_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = store(tmp_path / "state", [])
    command = ["export", "--state", str(settings.state), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", command)
    assert export.main() == 2
    assert capsys.readouterr().err == f"{settings.log_path}: the log holds no event to export\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("enough", "written"), [(4, True), (5, False)])
def test_neighbours_are_found_anew_once_the_log_knows_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: int, written: bool
) -> None:
    events = [
        BehaviorEvent(f"{user}-{item}", EventType.PURCHASE, 5.0, user, user, item)
        for user in ("ann", "bob")
        for item in ("oat", "rye")
    ]
    settings = store(tmp_path / "state", events)
    path, out = tmp_path / "store.json", tmp_path / "neighbors.npz"
    path.write_text(settings.model_dump_json())
    command = ["job", "--store", str(path), "--out", str(out), "--min-interactions", str(enough)]
    monkeypatch.setattr("sys.argv", command)
    assert neighbor_job.main() == 0
    assert out.exists() == written
    if written:
        with np.load(out) as found:
            rows = {item_id: row for row, item_id in enumerate(found["item_ids"].tolist())}
            assert found["companions"][rows["oat"], 0] == rows["rye"]


def test_an_erasure_reaches_what_was_exported(tmp_path: Path) -> None:
    now_s = time.time()
    told = [
        BehaviorEvent(f"{user}-{ago}", EventType.CLICK, now_s - ago, user, f"s-{user}", "oat")
        for user in ("ann", "bob") for ago in (9_000, 60)
    ]  # fmt: skip
    settings = store(tmp_path / "state", told)
    log = open_event_log(settings)
    log.append_rankings(
        [RankingRecord(f"r-{user}", now_s, "model", ("oat",), user) for user in ("ann", "bob")]
    )
    out = tmp_path / "out"
    assert export.main(["--state", str(tmp_path / "state"), "--out", str(out)]) == 0

    def left() -> tuple[list[str], list[str]]:
        shown = pd.read_parquet(out / "rankings.parquet")["ranking_id"].tolist()
        return sorted(read_dataset(out).events["event_id"]), sorted(shown)

    assert left() == (["ann-60", "ann-9000", "bob-60", "bob-9000"], ["r-ann", "r-bob"])
    with open_ingest(IngestSettings(store=settings)) as ingest:
        log.erase_user("ann", now_s - 3_600)
        ingest.drain()
        assert left() == (["ann-9000", "bob-60", "bob-9000"], ["r-bob"])
        log.erase_user("ann")
        ingest.drain()
        assert left() == (["bob-60", "bob-9000"], ["r-bob"])
        for path in out.iterdir():  # moved away: what is not there stops nothing
            path.unlink()
        out.rmdir()
        log.erase_user("bob")
        ingest.drain()
    log.close()
