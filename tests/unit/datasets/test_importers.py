"""The importers: real logs in, our folder format out, and nothing from the future in an item."""

from pathlib import Path

import pandas as pd
import pytest

from features.datasets.esci import import_esci
from features.datasets.format import Dataset, DatasetError
from features.datasets.grocery.importer import import_grocery
from features.datasets.grocery.text import readable, readable_size, readable_type
from features.datasets.online_retail import import_online_retail
from features.datasets.purchases import FIRST_LINES, NEW_AFTER_S, first_sales, known_price
from features.datasets.registry import load


@pytest.fixture(scope="module")
def grocery() -> Dataset:
    return import_grocery(n_items=300)


def test_a_price_never_looks_past_the_first_sales() -> None:
    early = pd.DataFrame({"item_id": "a", "at": range(FIRST_LINES), "quantity": 2, "value": 6.0})
    later = pd.DataFrame({"item_id": "a", "at": range(99, 999), "quantity": 1, "value": 50.0})
    assert known_price(pd.concat([later, early])).to_dict() == {"a": 3.0}


def test_lines_of_value_zero_name_no_price() -> None:
    sales = pd.DataFrame(
        {"item_id": ["a", "a", "b"], "at": [1, 2, 3], "quantity": [1, 1, 1], "value": [0, 4, 0]}
    )
    assert known_price(sales).to_dict() == {"a": 4.0}


def test_only_a_first_sale_well_after_the_start_counts_as_a_launch() -> None:
    late = NEW_AFTER_S + 1
    sales = pd.DataFrame({"item_id": ["a", "b", "c", "c"], "at": [0.0, NEW_AFTER_S, late, 9e9]})
    launched = first_sales(sales).dropna()
    assert launched.to_dict() == {"c": late}


def test_shop_codes_read_as_words() -> None:
    assert readable("FRZN VEGETABLE/VEG DSH") == "Frozen Vegetable & Vegetable Dishes"
    assert readable("EGGS - LARGE") == "Eggs, Large"
    assert readable("APPLES RED DELICIOUS (BULK&BAG") == "Apples Red Delicious"
    assert readable_type("PREMIUM", "ICE CREAM/MILK/SHERBTS") == "Premium Ice Cream"


@pytest.mark.parametrize(
    ("raw", "department", "expected"),
    [
        ("16 OZ", "GROCERY", "16 oz"),
        (".75 OZ", "GROCERY", "0.75 oz"),
        ("14.0 OZ", "GROCERY", "14 oz"),
        ("6 PK/4 OZ", "GROCERY", "6 x 4 oz"),
        ("12 OZ/12 PK", "GROCERY", "12 oz, 12 pack"),
        ("16 CT/22 OZ", "GROCERY", "16 count, 22 oz"),
        ("L     32 OZ", "GROCERY", "32 oz"),
        ("971820  PK", "DRUG GM", ""),  # a maker's code
        ("CTN", "DRUG GM", ""),
        ("40 LB", "PRODUCE", ""),  # the case that bananas come in
    ],
)
def test_sizes_read_as_a_label_would_say_them(raw: str, department: str, expected: str) -> None:
    assert readable_size(raw, department) == expected


def test_grocery_events_only_name_catalogue_items(grocery: Dataset) -> None:
    assert len(grocery.items) == 300
    assert set(grocery.events["item_id"]) == set(grocery.items["item_id"])
    assert set(grocery.events["type"]) == {"purchase"}
    assert grocery.events["event_id"].is_unique


def test_grocery_items_have_a_title_a_path_and_a_believable_price(grocery: Dataset) -> None:
    items = grocery.items
    assert items["title"].str.len().min() >= 4
    assert not items["title"].str.contains(r"[A-Z]{4}|\(|&$|, ,").any()
    assert items["category"].str.count(" > ").between(1, 2).all()
    assert items["price"].between(0.05, 60).all()
    assert not items["title"].str.contains("Gasoline|Coupon", regex=True).any()


def test_grocery_prices_ignore_all_but_the_first_lines(grocery: Dataset) -> None:
    lines = grocery.events[grocery.events["value"] > 0]
    early = lines.groupby("item_id").head(FIRST_LINES)
    dearest = early.groupby("item_id")["value"].max()
    prices = grocery.items.set_index("item_id")["price"]
    # A unit price is at most the dearest early line, whatever was charged later.
    assert (prices <= dearest[prices.index] + 0.01).all()


def test_a_second_load_reads_the_cache_and_a_dead_import_leaves_nothing(tmp_path: Path) -> None:
    first = load("grocery", tmp_path, n_items=20)
    stamp = (first.folder / "events.parquet").stat().st_mtime_ns
    again = load("grocery", tmp_path, n_items=20)
    assert (again.folder / "events.parquet").stat().st_mtime_ns == stamp
    pd.testing.assert_frame_equal(first.events, again.events)
    assert [path.name for path in tmp_path.iterdir()] == [first.folder.name]
    broken = tmp_path / "source"
    broken.mkdir()
    (broken / "online_retail_events.parquet").write_bytes(b"broken")
    with pytest.raises(DatasetError, match="cannot be read"):
        load(str(broken), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.folder.name, "source"]


def test_a_catalogue_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="at least 1"):
        load("grocery", tmp_path, n_items=0)


@pytest.mark.shared
def test_online_retail_takes_prices_from_first_sales_not_from_the_items_table(
    shared_data: Path,
) -> None:
    dataset = import_online_retail(shared_data / "online_retail")
    assert dataset.events["type"].value_counts().to_dict() == {
        "purchase": 515_821,
        "return": 8_597,
    }
    log = pd.read_parquet(shared_data / "online_retail" / "online_retail_events.parquet")
    sold = log[log["event"] == "purchase"].sort_values("ts", kind="stable")
    early = sold.groupby("item_id").head(FIRST_LINES).groupby("item_id")["price_gbp"].median()
    prices = dataset.items.set_index("item_id")["price"]
    assert (prices - early[prices.index]).abs().max() < 0.011
    leaking = pd.read_parquet(shared_data / "online_retail" / "online_retail_items.parquet")
    assert (prices != leaking.set_index("item_id")["price_gbp"][prices.index]).mean() > 0.1


@pytest.mark.shared
def test_esci_has_judged_queries_and_no_behaviour(shared_data: Path, tmp_path: Path) -> None:
    dataset = load(str(shared_data / "esci150"), tmp_path)
    assert dataset.events.empty
    assert dataset.queries is not None
    assert len(dataset.queries) == 6_678
    assert set(dataset.queries["gain"]) == {1.0, 0.1, 0.01, 0.0}
    assert dataset.queries["item_id"].isin(dataset.items["item_id"]).all()
    assert dataset.items["description"].str.len().max() <= 604
    assert import_esci(shared_data / "esci150").items["item_id"].is_unique
