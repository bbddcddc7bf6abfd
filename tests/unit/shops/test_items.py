"""The catalogue in memory: columns and texts by row, while another thread writes."""

import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from features.arrays import RowArray
from features.behavior.history import shared_words
from features.catalog.item import Item, category_path, content_key
from features.catalog.words import words
from serving.models.tokenizer import Tokenizer
from serving.shops.items import ItemCache
from tests.support.fakes import MAX_ITEM_TOKENS, groceries


def test_an_empty_text_is_a_row_of_zeros(encoder: Tokenizer) -> None:
    tokens = encoder.tokens(["", "ab"], 8)
    assert tokens[0].tolist() == [0] * tokens.shape[1]
    assert np.count_nonzero(tokens[1]) == 4


def test_a_long_text_is_cut_and_keeps_its_end_mark(encoder: Tokenizer) -> None:
    tokens = encoder.tokens(["a" * 50], 8)
    assert tokens.shape == (1, 8)
    assert tokens[0, -1] == 3


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ufffd", "🧀", "a" * 100_000, "\n\t", "[PAD]"])
def test_any_text_can_be_encoded(encoder: Tokenizer, text: str) -> None:
    assert encoder.tokens([text], 16).shape[0] == 1


def test_threads_may_encode_to_different_lengths_at_once(encoder: Tokenizer) -> None:
    failures: list[object] = []

    def encode(length: int) -> None:
        for _ in range(20):
            try:
                found = encoder.tokens(["b " * 200] * 20, length)
                if found.shape != (20, length):
                    failures.append(found.shape)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=encode, args=(8 + 8 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_texts_are_as_wide_as_the_longest_asked_for(encoder: Tokenizer) -> None:
    items = ItemCache(encoder, MAX_ITEM_TOKENS)
    rows = items.upsert([Item("a", "ab"), Item("b", "abcdef"), Item("c", "[PAD]xy[PAD]z")])
    keys, tokens = items.texts_of(rows[:1])
    assert tokens.shape == (1, 4)
    assert keys.tolist() == [content_key("ab")]
    assert items.texts_of(rows)[1].shape[1] == 8
    # A zero in the middle of a text is a token like any other.
    assert (
        items.texts_of(rows[2:])[1][0].tolist() == encoder.tokens(["[PAD]xy[PAD]z"], 16)[0].tolist()
    )


def test_no_rows_have_no_texts(encoder: Tokenizer) -> None:
    keys, tokens = groceries(encoder).texts_of(np.zeros(0, np.int64))
    assert (keys.shape, tokens.shape) == ((0,), (0, 1))


def test_a_changed_item_keeps_its_row_and_its_counters_and_changes_its_text(
    encoder: Tokenizer,
) -> None:
    items = groceries(encoder)
    row = items.table.rows(["milk"])
    counts = np.ones((1, 5, 5), np.float32)
    items.set_counters(row, counts, np.array([5.0]), np.array([1.0]))
    again = items.upsert([Item("milk", "Goat milk")])
    assert again.tolist() == row.tolist()
    assert items.counters.at_s[row].tolist() == [5.0]
    assert items.keys[row].tolist() == [content_key("Goat milk")]
    assert shared_words(items.table, "whole", row).tolist() == [0.0]
    assert shared_words(items.table, "goats", row).tolist() == [1.0]


def test_words_are_compared_without_case_and_plural() -> None:
    assert words("Dresses, DRESS; (s) it's") == {"dresse", "dre", "s", "it"}


def test_a_category_path_is_written_in_one_way() -> None:
    assert category_path(" A>B > C>D ") == "A > B > C"
    assert category_path(" > ") == ""


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Threads take turns every few microseconds: what can go wrong between two lines does."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


@pytest.mark.usefixtures("switching_often")
def test_a_reader_never_meets_a_row_without_its_columns(encoder: Tokenizer) -> None:
    items = ItemCache(encoder, MAX_ITEM_TOKENS)
    ids = [f"i{n}" for n in range(600)]
    writing = threading.Event()
    writing.set()

    def write() -> None:
        for start in range(0, len(ids), 40):
            items.upsert(
                [Item(item_id, item_id, "", "A > B") for item_id in ids[start : start + 40]]
            )
        writing.clear()

    def read(rows: RowArray) -> None:
        items.texts_of(rows)
        shared_words(items.table, "i7", rows)
        items.counters.at(np.maximum(rows, 0), 1.0)
        _ = items.table.category[rows], items.table.available[rows], items.table.removed[rows]
        _ = items.table.neighbors[rows], items.table.log_price[rows]

    items.upsert([Item("first", "first")])
    thread = threading.Thread(target=write)
    thread.start()
    reads = 0
    while writing.is_set():
        read(items.table.rows(ids[::7]))
        reads += 1
    thread.join()
    assert reads > 10
    assert (items.table.rows(ids) >= 0).all()
