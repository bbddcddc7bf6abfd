"""A word of a name finds what bears the name, in the language of the catalogue, by words alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.behavior.replay import item_table
from features.catalog.item import Item
from features.catalog.table import ItemTable
from features.datasets.format import read_dataset
from serving.search.dense import DenseIndex
from serving.search.matcher import Matcher
from serving.search.relevance import RelevanceModels
from serving.search.words.analysis import Analyzer
from tests.conftest import SHARED

COLLECTIONS = Path(__file__).parents[2] / "data" / "search"
CATEGORIES = SHARED / "data" / "taxonomy" / "categories.parquet"


def matcher(table: ItemTable, language: str) -> Matcher:
    models = RelevanceModels.of_profile("multilingual")
    made = Matcher(Analyzer(language), DenseIndex(), models.items)
    made.update(np.arange(len(table)), table)
    return made


def found(made: Matcher, table: ItemTable, query: str) -> list[str]:
    """Titles, most relevant first."""
    asked = made.read(query, None, table, 200)
    values = made.matches(asked, table, asked.found).values
    rows = asked.found[np.argsort(-values, kind="stable")]
    return [table.items[row].title for row in rows.tolist()]


@pytest.mark.shared
@pytest.mark.parametrize("language", ["zh", "ja", "de", "fr", "ru", "tr", "es", "pl", "en"])
def test_a_name_finds_its_item_in_its_own_language(language: str) -> None:
    paths = pd.read_parquet(CATEGORIES)[language]
    names = [path.rpartition(" > ")[2] for path in paths]
    table = ItemTable(Item(str(n), name) for n, name in enumerate(names))
    made = matcher(table, language)
    asked = np.random.default_rng(3).choice(len(names), 200, replace=False).tolist()
    missed = [names[n] for n in asked if names[n] not in found(made, table, names[n])[:10]]
    assert len(missed) <= 0.02 * len(asked), missed


@pytest.mark.parametrize("language", ["zh", "ja"])
def test_no_answer_is_empty_where_a_title_holds_the_words(language: str) -> None:
    dataset = read_dataset(COLLECTIONS / language)
    assert dataset.queries is not None
    table = item_table(dataset)
    made = matcher(table, language)
    for query in dataset.queries["query"].unique().tolist():
        holders = [item.title for item in table.items if query in item.title]
        if holders:
            assert set(found(made, table, query)[:5]) & set(holders), query


@pytest.mark.parametrize(
    ("language", "query", "sold"),
    [("zh", "改锥", "螺丝刀"), ("zh", "尿不湿", "纸尿裤"), ("ja", "ねじ回し", "ドライバー")],
)
def test_an_item_is_found_by_another_word_for_it(language: str, query: str, sold: str) -> None:
    table = item_table(read_dataset(COLLECTIONS / language))
    assert not any(query in item.title for item in table.items)
    assert all(sold in title for title in found(matcher(table, language), table, query)[:3])
