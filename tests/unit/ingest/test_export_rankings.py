"""The rankings that a shop has answered become rows, with whom they were assigned to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from features.events.event import BehaviorEvent, EventType
from features.events.exposure import Exposure
from features.events.log import RankingRecord
from features.ingest import export
from features.ingest.export_rankings import FILE, SCHEMA, table_of, write_rankings
from features.store.backends import open_event_log
from features.store.settings import StoreSettings, embedded_store

DRAWN = Exposure("rows", "wider", "session", "ab12")
RANKING = RankingRecord(
    "r1", 5.0, "model", ("oat", "rye"), "ann", "s1", None, "7",
    np.array([2, 1], np.float32), np.array([1, 0.5], np.float32),
    variant=DRAWN.label, exposures=(DRAWN,),
)  # fmt: skip
OF_NOBODY = RankingRecord("r2", 6.0, "cold_start", ("jam",), query="plum")


def logged(store: StoreSettings) -> None:
    log = open_event_log(store)
    log.append([BehaviorEvent("a", EventType.CLICK, 7.0, "ann", item_id="oat", ranking_id="r1")])
    log.append_rankings([RANKING, OF_NOBODY])
    log.close()


def test_each_item_shown_is_a_row_with_its_arm_and_whom_that_was_drawn_by(tmp_path: Path) -> None:
    store = StoreSettings(state=tmp_path)
    logged(store)
    assert write_rankings(store, tmp_path / FILE) == 2
    found = pq.read_table(tmp_path / FILE)
    assert found.schema == SCHEMA
    first, second, other = found.to_pylist()
    assert first == {
        "ranking_id": "r1", "at": 5.0, "user_id": "ann", "session_id": "s1", "query": None,
        "route": "model", "model_version": "7", "variant": "rows/wider",
        "hash_attribute": "session", "hash_value": "ab12", "placement": None, "page_id": None,
        "item_id": "oat", "position": 1, "score": 2.0, "propensity": 1.0, "drafted_by": None,
    }  # fmt: skip
    assert (second["item_id"], second["position"], second["propensity"]) == ("rye", 2, 0.5)
    assert (other["variant"], other["hash_value"], other["score"]) == ("default", None, None)


def test_each_row_says_which_placement_of_which_page_it_stood_on() -> None:
    shelf = replace(RANKING, placement="for_you", page_id="p1")
    found = table_of([shelf, OF_NOBODY])
    assert found["placement"].to_pylist() == ["for_you", "for_you", None]
    assert found["page_id"].to_pylist() == ["p1", "p1", None]


def test_an_interleaved_ranking_says_by_name_whose_pick_each_item_is() -> None:
    three = replace(
        RANKING, item_ids=("oat", "rye", "jam"), teams=np.array([1, -1, 0], np.int8),
        arms=("old", "new"),
    )  # fmt: skip
    assert table_of([three, OF_NOBODY])["drafted_by"].to_pylist() == ["new", None, "old", None]


def test_a_ranking_of_nothing_has_no_row() -> None:
    assert table_of([replace(OF_NOBODY, item_ids=())]).num_rows == 0


def test_a_shop_without_rankings_exports_an_empty_table(tmp_path: Path) -> None:
    store = StoreSettings(state=tmp_path)
    assert write_rankings(store, tmp_path / FILE) == 0
    assert pq.read_table(tmp_path / FILE).schema == SCHEMA


def test_the_command_writes_them_beside_the_data_set(tmp_path: Path) -> None:
    logged(embedded_store(tmp_path / "state"))
    arguments = ["--state", str(tmp_path / "state"), "--out", str(tmp_path / "out")]
    assert export.main(arguments) == 0
    assert pq.read_table(tmp_path / "out" / FILE).num_rows == 3
