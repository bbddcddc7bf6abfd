"""Event exports of other systems, read beside the items that they name."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.datasets.feeds.files import read_files
from features.datasets.feeds.found import refuse
from features.datasets.format import Dataset, DatasetError
from features.datasets.registry import load

FEEDS = Path(__file__).resolve().parents[3] / "data" / "feeds"
CART = {"event_name": "add_to_cart", "event_timestamp": "1767607200000000"}
TRACK = {"type": "track", "event": "Product Viewed", "anonymousId": "a"}


def shop(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_bytes((FEEDS / name).read_bytes())
    return tmp_path


def read(tmp_path: Path, *names: str) -> Dataset:
    return load(str(shop(tmp_path, *names)), tmp_path)


def rows(events: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return [*events[[*columns]].itertuples(index=False, name=None)]


def test_analytics_events_become_what_shoppers_did_with_items(tmp_path: Path) -> None:
    events = read(tmp_path, "merchant.xml", "ga4.jsonl").events
    assert rows(events, "type", "item_id", "position", "user_id") == [
        ("search", "", 0, "d1"),
        ("impression", "STOVE-1", 1, "d1"),
        ("impression", "TENT-2", 2, "d1"),
        ("click", "TENT-2", 2, "d1"),
        ("view", "TENT-2", 2, "ada"),
        ("add_to_cart", "TENT-2", 2, "ada"),
        ("purchase", "TENT-2", 2, "ada"),
        ("purchase", "STOVE-1", 1, "ada"),
        ("return", "TENT-2", 0, "ada"),
        ("return", "STOVE-1", 0, "ada"),
    ]
    assert events["query"][0] == "tent"
    assert events["at"][0] == 1767607201.0
    assert events["value"][6:].tolist() == [298.0, 999.0, 298.0, 999.0]


def test_what_an_analytics_list_led_to_has_its_ranking(tmp_path: Path) -> None:
    events = read(tmp_path, "merchant.xml", "ga4.jsonl").events
    of_list = events["ranking_id"][1]
    assert of_list
    assert set(events["ranking_id"][1:8]) == {of_list}
    assert set(events["session_id"][:8]) == {"d1.7"}


def test_what_an_import_leaves_out_is_counted(tmp_path: Path) -> None:
    reading = read_files(shop(tmp_path, "merchant.xml", "ga4.jsonl"), refuse)
    assert dict(reading.found.skipped) == {
        "events 'page_view'": 1,
        "internal or debug traffic": 1,
        "events that stand twice": 2,
    }


def test_segment_calls_find_the_product_of_a_variants_sku(tmp_path: Path) -> None:
    events = read(tmp_path, "shopify.csv", "segment.jsonl").events
    assert rows(events, "type", "item_id", "position", "user_id") == [
        ("search", "", 0, "a1"),
        ("impression", "gift-card", 1, "a1"),
        ("impression", "linen-shirt", 2, "a1"),
        ("click", "linen-shirt", 2, "a1"),
        ("view", "linen-shirt", 2, "a1"),
        ("add_to_cart", "linen-shirt", 2, "ada"),
        ("purchase", "linen-shirt", 0, "ada"),
        ("return", "linen-shirt", 0, "ada"),
    ]
    assert events["value"][6:].tolist() == [90.0, 90.0]


def test_half_an_hour_without_a_call_ends_a_session(tmp_path: Path) -> None:
    events = read(tmp_path, "shopify.csv", "segment.jsonl").events
    assert events["session_id"].tolist() == ["a1-0"] * 6 + ["a1-1", "a1-2"]


def test_mapped_json_lines_may_lie_deep(tmp_path: Path) -> None:
    names = ("german.csv", "german.mapping.yaml", "clicks.jsonl", "clicks.mapping.yaml")
    events = read(tmp_path, *names).events
    assert rows(events, "type", "item_id", "user_id", "position", "at") == [
        ("view", "A1", "7", 2, 1767607200.123),
        ("purchase", "A1", "7", 0, 1767607202.123),
    ]
    assert events["value"][1] == 1299.0


def test_events_of_another_system_join_items_of_our_format(tmp_path: Path) -> None:
    item = {"item_id": "TENT-2", "title": "Tent"}
    (tmp_path / "items.jsonl").write_text(json.dumps(item))
    (tmp_path / "README.txt").write_text("notes")
    dataset = read(tmp_path, "ga4.jsonl")
    assert len(dataset.items) == 1
    assert len(dataset.events) == 10


def test_events_of_our_format_join_items_of_another_system(tmp_path: Path) -> None:
    event = {"type": "click", "at": 1, "item_id": "TENT-2"}
    (tmp_path / "events.jsonl").write_text(json.dumps(event))
    dataset = read(tmp_path, "merchant.xml")
    assert len(dataset.items) == 2
    assert dataset.events["event_id"].str[:6].tolist() == ["row-0-"]


def test_reading_twice_gives_the_same_event_ids(tmp_path: Path) -> None:
    once = read(tmp_path, "merchant.xml", "ga4.jsonl").events["event_id"].tolist()
    again = read(tmp_path, "merchant.xml", "ga4.jsonl").events["event_id"].tolist()
    assert once == again
    assert not any("d1" in event_id for event_id in once)


def test_an_alias_of_two_items_is_none_of_either(tmp_path: Path) -> None:
    header = "Handle,Title,Option1 Name,Variant Price,Variant SKU\n"
    (tmp_path / "p.csv").write_text(header + "a,A,Title,1,X\nb,B,Title,1,X\n")
    call = TRACK | {"timestamp": "2026-01-05T10:00:00Z", "properties": {"sku": "X"}}
    (tmp_path / "calls.jsonl").write_text(json.dumps(call))
    assert load(str(tmp_path), tmp_path).events["item_id"].tolist() == ["X"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no time": (CART | {"event_timestamp": "soon"}, "'event_timestamp' holds 'soon' where a time"),
    "items of text": (CART | {"items": "TENT-2"}, "'items' holds no list of objects"),
    "revenue in words": (
        CART | {"event_name": "purchase", "items": [{"item_id": "a", "item_revenue": "much"}]},
        "'items' holds no number in item_revenue, price or quantity",
    ),
    "a call without time": (TRACK, "'originalTimestamp' is empty"),
    "a call of an odd time": (TRACK | {"timestamp": "noon"}, "'timestamp' holds 'noon' where a"),
    "properties of text": (
        TRACK | {"timestamp": "2026-01-05T10:00:00Z", "properties": "x"},
        "'properties' holds no object",
    ),
    "products of text": (
        TRACK
        | {
            "event": "Order Completed",
            "timestamp": "2026-01-05T10:00:00Z",
            "properties": {"products": "x"},
        },
        "'properties.products' holds no list of objects",
    ),
    "a price in words": (
        TRACK
        | {
            "event": "Order Completed",
            "timestamp": "2026-01-05T10:00:00Z",
            "properties": {"products": [{"sku": "a", "price": "much"}]},
        },
        "'properties.products' holds no number in price or quantity",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_event_that_cannot_be_read_gets_one_line(tmp_path: Path, case: str) -> None:
    values, expected = REFUSED[case]
    (shop(tmp_path, "merchant.xml") / "log.jsonl").write_text("\n" + json.dumps(values))
    with pytest.raises(DatasetError) as caught:
        load(str(tmp_path), tmp_path)
    assert f"log.jsonl: line 2: column {expected}" in str(caught.value)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (shop(tmp_path, "merchant.xml") / "log.jsonl").write_text(json.dumps(CART) + "\n{'a'}")
    with pytest.raises(DatasetError, match=r"log\.jsonl: line 2: column 2: not JSON"):
        load(str(tmp_path), tmp_path)


def test_events_alone_are_no_shop(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no items: neither a product feed nor items\.jsonl"):
        read(tmp_path, "ga4.jsonl")


def test_a_file_of_no_known_system_is_not_overlooked(tmp_path: Path) -> None:
    (shop(tmp_path, "merchant.xml") / "orders.csv").write_text("order,sum\n1,2\n")
    with pytest.raises(DatasetError, match=r"orders\.csv: line 1: columns of no system"):
        load(str(tmp_path), tmp_path)
