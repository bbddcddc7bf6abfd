"""Mapping files: what is wrong with one is said by its name; what does not fit, by line."""

from pathlib import Path

import pytest

from features.datasets.format import DatasetError
from features.datasets.registry import load

ITEMS = "kind: items\ncolumns: {item_id: nr, title: name}\n"
EVENTS = "kind: events\ncolumns: {type: what, at: when, item_id: nr}\n"


def refusal(tmp_path: Path, mapping: str, table: str = "nr,name\n1,Hat\n") -> str:
    (tmp_path / "shop.csv").write_text(table)
    (tmp_path / "shop.mapping.yaml").write_text(mapping)
    with pytest.raises(DatasetError) as caught:
        load(str(tmp_path / "shop.csv"), tmp_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


MAPPINGS = {
    "no YAML": ("kind: [items", "shop.mapping.yaml: line 1: no YAML"),
    "empty": ("", "shop.mapping.yaml: Input should be a valid dictionary"),
    "no kind": ("columns: {}", "shop.mapping.yaml: kind: Field required"),
    "a misspelt setting": (ITEMS + "constant: {}", "constant: Extra inputs are not permitted"),
    "a field of nobody": (
        ITEMS + "constants: {colour: red}",
        "shop.mapping.yaml: items have no field 'colour'",
    ),
    "no title": ("kind: items\ncolumns: {item_id: nr}", "items need 'title' in columns"),
    "one id for all": (
        "kind: items\ncolumns: {title: name}\nconstants: {item_id: x}",
        "item_id cannot be a constant",
    ),
    "attributes of events": (EVENTS + "attributes: {a: b}", "events have no attributes"),
    "another type": (EVENTS + "types: {buy: sale}", "types.buy: Input should be 'impression'"),
    "a decimal of no kind": (ITEMS + 'decimal: ";"', "decimal: Input should be '.' or ','"),
    "no encoding": (ITEMS + "encoding: utf-9", "encoding: nobody knows 'utf-9'"),
    "a letter between cells": (ITEMS + "delimiter: x", "delimiter: String should match pattern"),
    "a column that is not there": (
        "kind: items\ncolumns: {item_id: nr, title: Name}",
        "shop.csv: line 1: no column 'Name', which the mapping names",
    ),
}


@pytest.mark.parametrize("case", MAPPINGS)
def test_a_mapping_that_cannot_be_used_says_why(tmp_path: Path, case: str) -> None:
    mapping, expected = MAPPINGS[case]
    assert expected in refusal(tmp_path, mapping)


TABLES = {
    "no id": (ITEMS, "nr,name\n,Hat\n", "line 2: column 'nr' is empty"),
    "an id twice": (
        ITEMS,
        "nr,name\n1,Hat\n\n1,Cap\n",
        "line 4: column 'nr' holds '1', which stands in shop.csv, line 2",
    ),
    "a price in words": (
        ITEMS.replace("{", "{price: cost, "),
        "nr,name,cost\n1,Hat,five\n",
        "line 2: column 'cost' holds 'five' where a price belongs",
    ),
    "a time of another form": (
        ITEMS.replace("{", "{created_at: since, "),
        "nr,name,since\n1,Hat,31.12.2025\n",
        "line 2: column 'since' holds '31.12.2025' where a time belongs",
    ),
    "an unknown type": (
        EVENTS,
        "what,when,nr\nbuy,1767607200,1\n",
        "line 2: column 'what' holds 'buy': say in `types` which of ours it is",
    ),
    "an event of nothing": (
        EVENTS,
        "what,when,nr\nview,1767607200,\n",
        "line 2: column 'nr' is empty, and the event is no search",
    ),
    "half a position": (
        EVENTS.replace("{", "{position: rank, "),
        "what,when,nr,rank\nview,1767607200,1,1.5\n",
        "line 2: column 'rank' holds '1.5' where a whole number belongs",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_mapped_row_that_does_not_fit_is_named(tmp_path: Path, case: str) -> None:
    mapping, table, expected = TABLES[case]
    (tmp_path / "items.jsonl").write_text('{"item_id": "0", "title": "Hat"}')
    (tmp_path / "shop.csv").write_text(table)
    (tmp_path / "shop.mapping.yaml").write_text(mapping)
    with pytest.raises(DatasetError) as caught:
        load(str(tmp_path), tmp_path)
    assert f"shop.csv: {expected}" in str(caught.value)


def test_a_time_format_reads_what_is_no_rfc_3339(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("nr,name,since\n1,Hat,01.02.1970\n")
    mapping = ITEMS.replace("{", "{created_at: since, ") + "time_format: '%d.%m.%Y'\n"
    (tmp_path / "shop.mapping.yaml").write_text(mapping)
    dataset = load(str(tmp_path / "shop.csv"), tmp_path)
    assert dataset.items["created_at"].tolist() == [31 * 86_400.0]


def test_a_mapped_column_that_no_line_has_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "shop.jsonl").write_text('{"nr": 1, "label": "Hat"}')
    (tmp_path / "shop.mapping.yaml").write_text(ITEMS)
    with pytest.raises(DatasetError, match="no line has 'name', which the mapping names"):
        load(str(tmp_path / "shop.jsonl"), tmp_path)
