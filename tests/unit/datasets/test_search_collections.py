"""The search collections in tests/data/search: consistent, and what their README.md counts."""

import json
from pathlib import Path
from shutil import copytree

import pytest

from features.datasets.format import Dataset, read_dataset

FOLDER = Path(__file__).resolve().parents[2] / "data" / "search"
# As features/datasets/esci.py grades, without the judged zero: what is not listed is irrelevant.
GAINS = {1.0, 0.1, 0.01}


@pytest.fixture(scope="module", params=["zh", "ja"])
def collection(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Read from a copy with an empty event log: a collection has none."""
    copy = tmp_path_factory.mktemp("search") / request.param
    copytree(FOLDER / request.param, copy)
    (copy / "events.jsonl").touch()
    return read_dataset(copy)


def test_item_ids_and_titles_are_unique(collection: Dataset) -> None:
    assert not collection.items["item_id"].duplicated().any()
    assert not collection.items["title"].duplicated().any()


def test_every_item_has_a_price_and_a_path_of_three_levels(collection: Dataset) -> None:
    assert (collection.items["price"] > 0).all()
    assert (collection.items["currency"] == collection.info.currency).all()
    assert (collection.items["category"].str.count(" > ") == 2).all()


def test_every_judgment_names_an_item_once_and_one_of_the_grades(collection: Dataset) -> None:
    queries = collection.queries
    assert queries is not None
    assert set(queries["item_id"]) <= set(collection.items["item_id"])
    assert not queries.duplicated(["query_id", "item_id"]).any()
    assert set(queries["gain"]) <= GAINS


def test_every_query_has_one_text_and_at_least_two_exact_items(collection: Dataset) -> None:
    queries = collection.queries
    assert queries is not None
    assert (queries.groupby("query_id")["query"].nunique() == 1).all()
    assert (queries.groupby("query")["query_id"].nunique() == 1).all()
    exact = queries["gain"].eq(1.0).groupby(queries["query_id"]).sum()
    assert exact.min() >= 2


def test_attributes_are_texts_by_name() -> None:
    for path in FOLDER.glob("*/items.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            attributes = json.loads(line).get("attributes", {})
            assert all(isinstance(text, str) and text for text in attributes.values()), line


def test_the_readme_counts_what_is_there(collection: Dataset) -> None:
    queries = collection.queries
    assert queries is not None
    per_gain = [int((queries["gain"] == gain).sum()) for gain in (1.0, 0.1, 0.01)]
    counts = [len(collection.items), queries["query_id"].nunique(), *per_gain]
    folder = collection.info.name.removeprefix("search-")
    row = f"| `{folder}/` | {' | '.join(str(count) for count in counts)} |"
    assert row in (FOLDER / "README.md").read_text(encoding="utf-8")
