"""Attributes, pictures and stock flags of a data set's items: from the file to the catalogue."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.behavior.replay import item_table
from features.datasets.format import DatasetError, read_dataset, write_dataset
from features.store.backends import open_catalog
from features.store.bootstrap import bootstrap
from features.store.settings import StoreSettings

ROWS: list[dict[str, Any]] = [
    {
        "item_id": "a",
        "title": "Headphones",
        "attributes": {"colour": "Black", "素材": "革"},
        "image_url": "https://img.example/a.jpg",
        "available": False,
    },
    {"item_id": "b", "title": "Cable", "attributes": {}, "available": None},
    {"item_id": "c", "title": "Charger"},
]


def jsonl(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "items.jsonl").write_text(text)
    return folder


def parquet(folder: Path, attributes: pa.Array) -> Path:
    table = {"item_id": ["a", "b", "c"], "title": ["x", "y", "z"], "attributes": attributes}
    pq.write_table(pa.table(table), folder / "items.parquet")
    return folder


def test_the_details_of_an_item_reach_the_catalogue(tmp_path: Path) -> None:
    dataset = read_dataset(jsonl(tmp_path))
    settings = StoreSettings(state=tmp_path / "state")
    bootstrap(dataset, settings, 0.0)
    catalog = open_catalog(settings)
    full, bare, silent = (catalog.get(item_id) for item_id in "abc")
    catalog.close()
    assert full is not None
    assert full.attributes == {"colour": "Black", "素材": "革"}
    assert (full.image_url, full.available) == ("https://img.example/a.jpg", False)
    for item in (bare, silent):
        assert item is not None
        assert (item.attributes, item.image_url, item.available) == ({}, "", True)
    table = item_table(dataset)
    assert table.available[:3].tolist() == [False, True, True]
    assert table.word_code["black"] in table.words[0]


@pytest.mark.parametrize(
    "attributes",
    [
        pa.array(
            [[("colour", "Black"), ("size", "L")], [], None], pa.map_(pa.string(), pa.string())
        ),
        pa.array([{"colour": "Black", "size": "L"}, {"colour": None, "size": None}, None]),
        pa.array(['{"colour": "Black", "size": "L"}', "", None]),
    ],
    ids=["map", "struct", "text"],
)
def test_parquet_may_hold_attributes_in_any_of_three_forms(
    tmp_path: Path, attributes: pa.Array
) -> None:
    items = item_table(read_dataset(parquet(tmp_path, attributes))).items
    assert [item.attributes for item in items] == [{"colour": "Black", "size": "L"}, {}, {}]


def test_what_is_written_is_read_back_with_all_details(tmp_path: Path) -> None:
    dataset = read_dataset(jsonl(tmp_path))
    write_dataset(dataset, tmp_path / "copy")
    again = read_dataset(tmp_path / "copy")
    pd.testing.assert_frame_equal(again.items, dataset.items)
    assert repr(item_table(again).items) == repr(item_table(dataset).items)  # NaN is not itself


def test_a_detail_that_no_item_has_is_not_written(tmp_path: Path) -> None:
    write_dataset(read_dataset(jsonl(tmp_path, ROWS[1:])), tmp_path / "copy")
    names = pq.read_schema(tmp_path / "copy" / "items.parquet").names
    assert not {"attributes", "image_url", "available"} & {*names}
    write_dataset(read_dataset(jsonl(tmp_path)), tmp_path / "full")
    names = pq.read_schema(tmp_path / "full" / "items.parquet").names
    assert {"attributes", "image_url", "available"} < {*names}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("attributes", {"ram": 16}, "row 2: column 'attributes': 'ram' holds int where text"),
        ("attributes", {"tags": ["x"]}, "row 2: column 'attributes': 'tags' holds list where text"),
        ("attributes", ["x"], "row 2: column 'attributes' holds list where an object"),
        ("attributes", "colour: red", "row 2: column 'attributes' holds text that is no JSON"),
        ("attributes", "[1]", "row 2: column 'attributes' holds list where an object"),
        ("attributes", 7, "row 2: column 'attributes' holds int where an object"),
        ("available", "yes", "row 2: column 'available' holds str where true or false belongs"),
        ("available", 0, "row 2: column 'available' holds int where true or false belongs"),
        ("image_url", ["x"], "row 2: column 'image_url' holds list where text belongs"),
        ("image_url", 5, "row 2: column 'image_url' holds int where text belongs"),
    ],
)
def test_a_bad_detail_is_one_line_with_file_row_and_field(
    tmp_path: Path, field: str, value: Any, said: str
) -> None:
    rows = [ROWS[0], {"item_id": "b", "title": "Cable", field: value}]
    with pytest.raises(DatasetError) as caught:
        read_dataset(jsonl(tmp_path, rows))
    assert str(caught.value).startswith(f"{tmp_path}/items.jsonl: {said}")
    assert "\n" not in str(caught.value)
