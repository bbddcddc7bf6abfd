"""A replica's items follow the catalogue and the counters, and wait for who is down."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from features.behavior.matrix import Shopper
from features.behavior.neighbor_file import NeighborFile, write_neighbors
from features.behavior.neighbors import NeighborTables
from features.catalog.counters import Counter
from features.catalog.item import Item
from serving.errors import ModelUnavailableError
from serving.models.tokenizer import Tokenizer
from serving.search.recommender import Retrieved
from serving.search.relevance import Least
from serving.search.retrieval import Retrieval
from serving.search.suggest.suggestions import Suggestions
from serving.search.vectors import StoredVectors
from serving.shops.items import ItemCache
from serving.shops.refresh import Refresher
from tests.support.fakes import (
    GROCERIES,
    MAX_ITEM_TOKENS,
    NOW_S,
    FakeCatalog,
    FakeCounters,
    FakeVectors,
    token_vectors,
)


class Replica:
    """What a refresher keeps up to date, and where it reads."""

    def __init__(
        self,
        encoder: Tokenizer,
        interval_s: float = 60.0,
        neighbors: Path = Path("/none"),
        source: FakeVectors | None = None,
    ) -> None:
        self.encoder = encoder
        self.catalog = FakeCatalog()
        self.catalog.upsert(GROCERIES)
        self.counters = FakeCounters()
        self.source = source or FakeVectors(encoder)
        self.items = ItemCache(encoder, MAX_ITEM_TOKENS)
        self.retrieval = Retrieval(self.items, self.source)
        self.suggestions = Suggestions(self.items)
        self.now_s = NOW_S
        self.refresher = Refresher(
            self.catalog,
            self.counters,
            self.counters,
            self.items,
            self.retrieval,
            self.suggestions,
            NeighborFile(neighbors),
            interval_s,
            lambda: self.now_s,
        )

    def start(self) -> None:
        self.refresher.start()
        self.refresher.stop()

    def refresh(self) -> None:
        self.now_s += 60.0
        try:
            self.refresher.follow()
        finally:
            self.refresher.index()

    def words(self, query: str) -> list[str]:
        return self.ids(self.retrieval.search(query, None, None, 50, Least()))

    def nearest(self, text: str) -> list[str]:
        vector = token_vectors(self.encoder.tokens([text], MAX_ITEM_TOKENS))[0]
        return self.ids(self.retrieval.search("?", vector, None, 1, Least()))

    def ids(self, found: Retrieved) -> list[str]:
        return [self.items.table.item_ids[row] for row in found.rows.tolist()]

    def bought(self, item_id: str) -> float:
        row = self.items.table.rows([item_id])
        return float(self.items.counters.counts[row[0], Counter.PURCHASE, 0])


@pytest.fixture
def replica(encoder: Tokenizer) -> Replica:
    return Replica(encoder)


def test_a_start_takes_everything_over(replica: Replica) -> None:
    replica.counters.buy("oat", 3.0)
    replica.start()
    assert len(replica.items.table) == len(GROCERIES)
    assert replica.bought("oat") == 3.0
    assert replica.words("butter") == ["butter"]
    assert replica.ids(replica.retrieval.recommend(Shopper(), (), None, 1)) == ["oat"]
    assert replica.nearest("Rye bread, Crust") == []  # vectors come behind the start
    replica.refresh()
    assert replica.nearest("Rye bread, Crust") == ["bread"]


def test_new_changed_and_deleted_items_are_followed(replica: Replica) -> None:
    replica.start()
    replica.catalog.upsert([Item("jam", "Plum jam"), Item("bread", "Sourdough loaf")])
    replica.catalog.delete("butter")
    replica.refresh()
    assert replica.words("plum") == ["jam"]
    assert replica.words("sourdough") == ["bread"]
    assert replica.words("rye") == replica.words("butter") == []
    assert "butter" not in replica.ids(replica.retrieval.recommend(Shopper(), (), None, 50))


def test_changed_counters_are_followed(replica: Replica) -> None:
    replica.start()
    replica.counters.buy("milk", 2.0)
    replica.counters.buy("not in the catalogue", 2.0)
    replica.refresh()
    assert replica.bought("milk") == 2.0


def test_after_changes_that_were_missed_all_counters_are_read_anew(replica: Replica) -> None:
    replica.counters.buy("bread", 1.0)
    replica.start()
    replica.counters.buy("milk", 2.0)
    replica.counters.buy("oat", 1.0)
    replica.counters.forgotten = 2  # as a log does that keeps the last changes only
    replica.refresh()
    assert (replica.bought("milk"), replica.bought("oat")) == (2.0, 1.0)
    replica.counters.buy("oat", 1.0)
    replica.refresh()
    assert replica.bought("oat") == 2.0


def test_suggestions_follow_the_catalogue_and_what_sells(replica: Replica) -> None:
    def suggested(typed: str) -> list[str]:
        return [each.text for each in replica.suggestions.suggest(typed, 8).suggestions]

    replica.start()
    assert suggested("plu") == []
    assert suggested("m") == ["Milk", "Meadow", "Whole milk"]
    replica.catalog.upsert([Item("jam", "Plum jam")])
    replica.catalog.delete("oat")
    replica.counters.buy("butter", 9.0)
    replica.refresh()
    assert suggested("plu") == ["Plum jam"]
    assert suggested("oat") == []
    assert suggested("m") == ["Meadow", "Milk", "Whole milk"]


def test_what_happened_to_an_item_before_its_catalogue_entry_counts(replica: Replica) -> None:
    replica.counters.buy("jam", 4.0)
    replica.start()
    replica.refresh()
    replica.catalog.upsert([Item("jam", "Plum jam")])
    replica.refresh()
    assert replica.bought("jam") == 4.0


def test_an_encoder_that_is_down_is_asked_again(replica: Replica) -> None:
    replica.source.error = ModelUnavailableError("down")
    replica.start()
    assert replica.words("butter") == ["butter"]
    assert replica.nearest("Salted butter, Meadow") == []
    replica.refresh()
    replica.source.error = None
    replica.refresh()
    assert replica.nearest("Salted butter, Meadow") == ["butter"]
    asked = replica.source.asked
    replica.refresh()
    assert replica.source.asked == asked  # nothing is owed any more


def test_a_store_that_is_down_at_the_start_is_asked_again(replica: Replica) -> None:
    replica.counters.buy("oat", 3.0)
    replica.counters.error = OSError("down")
    replica.start()
    assert replica.words("butter") == ["butter"]
    replica.counters.error = None
    replica.refresh()
    assert replica.bought("oat") == 3.0


def test_a_store_that_goes_down_holds_up_no_new_items(replica: Replica) -> None:
    replica.start()
    replica.counters.error = OSError("down")
    replica.counters.buy("milk", 2.0)
    replica.catalog.upsert([Item("jam", "Plum jam")])
    with pytest.raises(OSError, match="down"):
        replica.refresh()
    assert replica.words("plum") == ["jam"]
    replica.counters.error = None
    replica.refresh()
    assert replica.bought("milk") == 2.0


def test_the_thread_survives_a_failure(encoder: Tokenizer) -> None:
    replica = Replica(encoder, interval_s=0.01)
    replica.refresher.start()
    try:
        replica.counters.error = OSError("down")
        replica.counters.buy("milk", 2.0)
        time.sleep(0.05)
        replica.counters.error = None
        assert eventually(lambda: replica.bought("milk") == 2.0)
    finally:
        replica.refresher.stop()


def eventually(holds: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + 30
    while not holds() and time.monotonic() < until_s:
        time.sleep(0.01)
    return holds()


def test_prices_and_stock_wait_for_no_index(encoder: Tokenizer) -> None:
    """Thousands of new texts may be waiting for the encoder when a price changes."""

    class Busy(FakeVectors):
        free = threading.Event()

        def encode_blocking(self, texts: Sequence[str]) -> np.ndarray:
            assert self.free.wait(60)
            return super().encode_blocking(texts)

    replica = Replica(encoder, interval_s=0.01, source=Busy(encoder))
    table = replica.items.table
    replica.refresher.start()
    try:
        replica.catalog.upsert([Item("jam", "Plum jam")])
        assert eventually(lambda: "jam" in table.row_of)
        replica.catalog.upsert([Item("milk", "Whole milk", price=9.0, available=False)])
        assert eventually(lambda: table.log_price[table.row_of["milk"]] == np.log(9.0))
        assert not table.available[table.row_of["milk"]]
        Busy.free.set()
        eventually(lambda: replica.nearest("Plum jam") == ["jam"])
        assert replica.nearest("Plum jam") == ["jam"], replica.refresher.__dict__
    finally:
        Busy.free.set()
        replica.refresher.stop()


def test_new_words_do_not_wait_for_the_vectors_of_others(encoder: Tokenizer) -> None:
    class Adding(FakeVectors):
        """While it encodes, another item comes."""

        def encode_blocking(self, texts: Sequence[str]) -> np.ndarray:
            if "jam" not in replica.catalog.items:
                replica.catalog.upsert([Item("jam", "Plum jam")])
                replica.refresher.follow()
            elif "found" not in seen:
                seen["found"] = replica.words("plum")
            return super().encode_blocking(texts)

    seen: dict[str, list[str]] = {}
    replica = Replica(encoder, source=Adding(encoder))
    replica.start()
    replica.catalog.upsert([Item(f"n{n}", f"number {n}") for n in range(300)])
    replica.refresh()
    assert seen["found"] == ["jam"]


def test_vectors_are_made_once_and_kept_through_a_restart(
    encoder: Tokenizer, tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "vectors.npz"
    first = FakeVectors(encoder)
    texts = ["a", "bb", "a"]
    made = StoredVectors(path, first).vectors(texts)
    assert first.asked == 2
    np.testing.assert_allclose(made, token_vectors(encoder.tokens(texts, 8)), atol=1e-3)
    second = FakeVectors(encoder)
    np.testing.assert_array_equal(StoredVectors(path, second).vectors(texts), made)
    assert second.asked == 0
    assert [each.name for each in path.parent.iterdir()] == ["vectors.npz"]


def test_vectors_of_another_encoder_are_made_anew(encoder: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    StoredVectors(path, FakeVectors(encoder)).vectors(["a"])
    other = FakeVectors(encoder)
    StoredVectors(path, other, "multilingual").vectors(["a"])
    assert other.asked == 1
    again = FakeVectors(encoder)
    StoredVectors(path, again, "multilingual").vectors(["a"])
    assert again.asked == 0


def test_a_file_that_names_no_encoder_is_the_english_ones(
    encoder: Tokenizer, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.npz"
    StoredVectors(path, FakeVectors(encoder)).vectors(["a"])
    with np.load(path) as stored:
        before = {name: stored[name] for name in ("keys", "vectors")}
    np.savez(path, **before)
    source = FakeVectors(encoder)
    StoredVectors(path, source).vectors(["a"])
    assert source.asked == 0


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_a_broken_file_of_vectors_is_written_anew(
    encoder: Tokenizer, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "vectors.npz"
    path.write_bytes(content)
    StoredVectors(path, FakeVectors(encoder)).vectors(["a"])
    again = FakeVectors(encoder)
    StoredVectors(path, again).vectors(["a"])
    assert again.asked == 0


def test_vectors_that_cannot_be_kept_are_given_all_the_same(
    encoder: Tokenizer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    found = StoredVectors(tmp_path / "file" / "v.npz", FakeVectors(encoder)).vectors(["a"])
    assert found.shape[0] == 1


def test_a_query_never_waits_for_more_than_a_few_items_to_be_encoded(
    encoder: Tokenizer, tmp_path: Path
) -> None:
    source = FakeVectors(encoder)
    StoredVectors(tmp_path / "v.npz", source).vectors([f"{n}" for n in range(300)])
    assert source.asked == 300
    assert source.longest <= 32


def test_an_encoder_that_goes_down_halfway_is_not_asked_twice(
    encoder: Tokenizer, tmp_path: Path
) -> None:
    class Fading(FakeVectors):
        def encode_blocking(self, texts: Sequence[str]) -> np.ndarray:
            if self.calls == 1:
                self.calls += 1
                raise ModelUnavailableError("down")
            return super().encode_blocking(texts)

    fading = Fading(encoder)
    stored = StoredVectors(tmp_path / "v.npz", fading)
    many = [f"{n}" for n in range(300)]
    with pytest.raises(ModelUnavailableError):
        stored.vectors(many)
    assert stored.vectors(many).shape[0] == 300
    assert fading.asked == 300


def neighbors_of_each_other(path: Path, first: str, second: str) -> None:
    """Write tables in which two items are each other's only neighbour."""
    index, weight = np.array([[1], [0]], np.int32), np.ones((2, 1), np.float32)
    write_neighbors(
        path, [first, second], NeighborTables(index, weight, index, weight, np.ones(2, np.float32))
    )


def test_new_neighbour_tables_are_taken_over_while_it_runs(
    encoder: Tokenizer, tmp_path: Path
) -> None:
    path = tmp_path / "neighbors.npz"
    replica = Replica(encoder, neighbors=path)
    replica.start()  # the job has not run yet
    first, second, third = (item.item_id for item in GROCERIES[:3])
    table = replica.items.table
    neighbors_of_each_other(path, first, second)
    replica.refresh()
    assert table.neighbors[table.row_of[first], 0] == table.row_of[second]
    neighbors_of_each_other(path, first, third)
    replica.refresh()
    assert table.neighbors[table.row_of[first], 0] == table.row_of[third]


def test_neighbour_tables_that_cannot_be_read_stop_a_start(
    encoder: Tokenizer, tmp_path: Path
) -> None:
    path = tmp_path / "neighbors.npz"
    path.write_text("no archive")
    with pytest.raises(ValueError, match="pickled"):
        Replica(encoder, neighbors=path).start()
