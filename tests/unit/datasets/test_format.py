"""The folder format: what it accepts, and the one line it answers with when it does not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.behavior.replay import item_table
from features.datasets.__main__ import main
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import DatasetError, read_dataset, require_events, write_dataset
from features.datasets.registry import load
from features.datasets.replay import WEEK_S, shift_to_now

ITEMS = [
    {"item_id": "a", "title": "Red Shoes", "price": 20},
    {"item_id": "b", "title": "Blue Shoes", "created_at": "2026-01-02T00:00:00Z"},
]
EVENTS = [
    {"type": "search", "at": "2026-01-05T10:00:00Z", "query": "shoes", "session_id": "s1"},
    {"type": "click", "at": "2026-01-05T10:00:09+00:00", "item_id": "a", "position": 1},
]


def folder_with(tmp_path: Path, items: Any = ITEMS, events: Any = EVENTS) -> Path:
    for name, rows in {"items": items, "events": events}.items():
        if rows is None:
            continue
        text = rows if isinstance(rows, str) else "\n".join(json.dumps(row) for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text)
    return tmp_path


def test_json_lines_with_rfc_3339_times_become_unix_seconds(tmp_path: Path) -> None:
    dataset = read_dataset(folder_with(tmp_path))
    assert dataset.events["at"].tolist() == [1767607200.0, 1767607209.0]
    assert dataset.items["created_at"].isna().tolist() == [True, False]
    assert dataset.events["event_id"].str[:6].tolist() == ["row-0-", "row-1-"]


def test_whole_number_ids_become_text_even_where_some_rows_lack_them(tmp_path: Path) -> None:
    events = [{"type": "click", "at": 1, "item_id": 7, "user_id": 42}]
    events.append({"type": "click", "at": 2, "item_id": 7})
    dataset = read_dataset(folder_with(tmp_path, [{"item_id": 7, "title": "x"}], events))
    assert dataset.events["user_id"].tolist() == ["42", ""]
    assert dataset.items["item_id"].tolist() == ["7"]


def test_events_come_back_sorted_by_time(tmp_path: Path) -> None:
    dataset = read_dataset(folder_with(tmp_path, events=EVENTS[::-1]))
    assert dataset.events["type"].tolist() == ["search", "click"]
    assert dataset.events["event_id"].str[:6].tolist() == ["row-1-", "row-0-"]


def test_an_event_without_an_id_gets_one_that_only_the_same_row_has(tmp_path: Path) -> None:
    def ids(*events: dict[str, object]) -> list[str]:
        return read_dataset(folder_with(tmp_path, events=list(events))).events["event_id"].tolist()

    one: dict[str, object] = {"type": "click", "at": 1, "item_id": "a", "user_id": "u"}
    january = ids(one, one)
    assert len(set(january)) == 2
    assert ids(one, one, {**one, "at": 2})[:2] == january
    assert not {*ids({**one, "user_id": "v"}, {**one, "value": 2.5})} & {*january}


def test_an_empty_event_log_is_a_new_shop_and_no_error(tmp_path: Path) -> None:
    assert read_dataset(folder_with(tmp_path, events=[])).events.empty


def test_a_catalogue_alone_is_a_new_shop_with_the_usual_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, events=None)
    events = read_dataset(folder).events
    assert events.empty
    assert [*events.columns] == [*EVENT_COLUMNS]
    assert main([str(folder)]) == 0
    assert "events               0" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["event.jsonl", "events.json", "Events.csv"])
def test_events_of_another_name_are_not_overlooked(tmp_path: Path, name: str) -> None:
    folder = folder_with(tmp_path, events=None)
    (folder / name).write_text("")
    with pytest.raises(DatasetError, match=rf"{name}: not read: call it events.parquet or"):
        read_dataset(folder)


def test_who_needs_events_names_the_file_that_has_none(tmp_path: Path) -> None:
    require_events(read_dataset(folder_with(tmp_path)), "why")
    with pytest.raises(DatasetError, match=r"events\.jsonl: no event; why$"):
        require_events(read_dataset(folder_with(tmp_path, events=[])), "why")
    (tmp_path / "events.jsonl").unlink()
    with pytest.raises(DatasetError, match=r"neither events\.parquet nor events\.jsonl .*; why$"):
        require_events(read_dataset(tmp_path), "why")


@pytest.mark.parametrize("events", [EVENTS, None])
def test_what_is_written_is_read_back_equal(tmp_path: Path, events: Any) -> None:
    dataset = read_dataset(folder_with(tmp_path, events=events))
    write_dataset(dataset, tmp_path / "copy")
    again = read_dataset(tmp_path / "copy")
    pd.testing.assert_frame_equal(again.items, dataset.items)
    pd.testing.assert_frame_equal(again.events, dataset.events)


BROKEN: dict[str, tuple[Any, Any, str]] = {
    "no items": ([], EVENTS, "no items"),
    "missing column": ([{"item_id": "a"}], EVENTS, "column 'title' is missing"),
    "unknown column": (
        [{"item_id": "a", "title": "t", "colr": 1}],
        EVENTS,
        "unknown column 'colr'",
    ),
    "duplicate item": (ITEMS + ITEMS[:1], EVENTS, "item_id 'a' stands twice"),
    "text as price": ([{"item_id": "a", "title": "t", "price": "9"}], EVENTS, "column 'price'"),
    "negative price": ([{"item_id": "a", "title": "t", "price": -1}], EVENTS, "column 'price'"),
    "list as title": ([{"item_id": "a", "title": ["t"]}], EVENTS, "column 'title' holds list"),
    "unknown type": (ITEMS, [{"type": "buy", "at": 1, "item_id": "a"}], "unknown type 'buy'"),
    "no time": (ITEMS, [{"type": "click", "at": None, "item_id": "a"}], "row 1 has no time"),
    "odd time": (ITEMS, [{"type": "click", "at": "soon", "item_id": "a"}], "no RFC 3339 time"),
    "click on nothing": (ITEMS, [{"type": "click", "at": 1}], "row 1 names no item_id"),
    "not JSON": (ITEMS, '{"type": "click"', "line 1 is not JSON"),
    "duplicate event": (
        ITEMS,
        [{"event_id": "e", "type": "view", "at": at, "item_id": "a"} for at in (1, 2)],
        "event_id 'e' stands twice",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_folder_gets_one_line_that_names_the_file(tmp_path: Path, case: str) -> None:
    items, events, expected = BROKEN[case]
    with pytest.raises(DatasetError) as caught:
        read_dataset(folder_with(tmp_path, items, events))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_broken_parquet_and_missing_tables_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"neither items.parquet nor items.jsonl"):
        read_dataset(tmp_path)
    (tmp_path / "items.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(DatasetError, match=r"items.parquet: cannot be read") as caught:
        read_dataset(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", '{"name": "x", "colour": 1}', '{"replay": "as_is"}'])
def test_a_broken_dataset_json_gets_one_line(tmp_path: Path, text: str) -> None:
    (folder_with(tmp_path) / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset.json") as caught:
        read_dataset(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_unknown_source_is_one_line_and_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere"), "--cache", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_good_folder_is_read_where_it_lies_and_summed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path)
    assert main([str(folder), "--cache", str(tmp_path / "cache")]) == 0
    assert "click                1" in capsys.readouterr().out
    assert not (tmp_path / "cache").exists()
    assert load(str(folder), tmp_path / "cache").folder == folder


@pytest.mark.parametrize("late_s", [0.0, 1.0, WEEK_S - 1, WEEK_S, 400 * 86_400.5, -3 * WEEK_S])
def test_a_shifted_log_ends_in_the_last_week_and_moved_by_whole_weeks(
    tmp_path: Path, late_s: float
) -> None:
    dataset = read_dataset(folder_with(tmp_path))
    now_s = float(dataset.events["at"].max()) + late_s
    shifted = shift_to_now(dataset, now_s)
    assert now_s - WEEK_S < shifted.events["at"].max() <= now_s
    moved = (shifted.events["at"] - dataset.events["at"]).unique()
    assert moved.tolist() == [moved[0]]
    assert moved[0] % WEEK_S == 0
    born = shifted.items["created_at"] - dataset.items["created_at"]
    assert born.dropna().tolist() == [moved[0]]


def test_a_data_set_without_events_is_not_shifted(tmp_path: Path) -> None:
    dataset = read_dataset(folder_with(tmp_path))
    empty = replace(dataset, events=dataset.events.iloc[:0])
    assert shift_to_now(empty, 2e9) is empty


def test_a_data_set_says_what_its_prices_are_compared_in(tmp_path: Path) -> None:
    items = [{"item_id": "a", "title": "x", "price": 450, "currency": "JPY"}]
    folder = folder_with(tmp_path, items)
    (folder / "dataset.json").write_text(
        json.dumps({"name": "x", "currency": "EUR", "rates": {"JPY": 0.006}})
    )
    assert item_table(read_dataset(folder)).price[0] == pytest.approx(2.7)
    for wrong, word in (
        ({"currency": "EUR"}, "'JPY'"),
        ({"currency": "euro"}, "currency"),
        ({"rates": {"JPY": 1}}, "rates"),
    ):
        (folder / "dataset.json").write_text(json.dumps({"name": "x", **wrong}))
        with pytest.raises(DatasetError, match=word):
            read_dataset(folder)
