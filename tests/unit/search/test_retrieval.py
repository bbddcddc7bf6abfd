"""Query or shopper to candidates, over real indexes with vectors that need no model."""

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.arrays import FloatArray
from features.behavior.matrix import Shopper
from features.catalog.counters import Counter
from features.catalog.item import Item
from features.events.event import EventType
from serving.errors import ModelUnavailableError
from serving.models.tokenizer import Tokenizer
from serving.search.attributes import AttributeIndex
from serving.search.filters import Filters, allowed
from serving.search.recommender import Retrieved
from serving.search.relevance import Least
from serving.search.retrieval import Retrieval
from serving.shops.items import ItemCache
from tests.support.fakes import (
    GROCERIES,
    NOW_S,
    FakeVectors,
    groceries,
    state,
    token_vectors,
)

ANYTHING = Least()  # made-up vectors are near anything: what is found is looked at


class Shop:
    """A retrieval over the groceries."""

    def __init__(self, encoder: Tokenizer, items: ItemCache | None = None) -> None:
        self.encoder = encoder
        self.items = groceries(encoder) if items is None else items
        self.source = FakeVectors(encoder)
        self.retrieval = Retrieval(self.items, self.source)
        self.retrieval.update(np.arange(len(self.items.table)))
        self.retrieval.refresh_popularity(NOW_S)

    def vector(self, query: str) -> FloatArray:
        found: FloatArray = token_vectors(self.encoder.tokens([query], 16))[0]
        return found

    def search(self, query: str, dense: bool = False, **filters: Any) -> list[str]:
        asked = Filters(**filters) if filters else None
        vector = self.vector(query) if dense else None
        return self.ids(self.retrieval.search(query, vector, asked, 50, ANYTHING))

    def ids(self, found: Retrieved) -> list[str]:
        return [self.items.table.item_ids[row] for row in found.rows.tolist()]

    def recommend(self, shopper: Shopper, *seeds: str, **filters: Any) -> list[str]:
        asked = Filters(**filters) if filters else None
        return self.ids(self.retrieval.recommend(shopper, seeds, asked, 50))

    def sell(self, item_id: str, times: float, at_s: float = NOW_S) -> None:
        counts = np.zeros((1, 5, 5), np.float32)
        counts[0, Counter.PURCHASE] = times
        row = self.items.table.rows([item_id])
        self.items.set_counters(row, counts, np.array([at_s]), np.array([at_s]))
        self.retrieval.refresh_popularity(NOW_S)

    def put(self, *items: Item) -> None:
        self.retrieval.update(self.items.upsert(items))

    def remove(self, item_id: str) -> None:
        assert self.items.table.remove(item_id)
        self.retrieval.update(self.items.table.rows([item_id]))


@pytest.fixture
def shop(encoder: Tokenizer) -> Shop:
    return Shop(encoder)


def test_words_find_titles_brands_and_categories(shop: Shop) -> None:
    assert shop.search("whole milk")[0] == "milk"
    assert shop.search("oatly") == ["oat"]
    assert shop.search("bakery") == ["bread"]
    assert shop.search("hand made") == ["soap"]
    assert shop.search("zebra") == []


@pytest.mark.parametrize(("query", "item_id"), [("glass", "glass"), ("dress", "dress")])
def test_a_word_that_ends_in_s_is_found(shop: Shop, query: str, item_id: str) -> None:
    assert shop.search(query) == [item_id]
    assert shop.search(query + "es") == [item_id]


@pytest.mark.parametrize(
    "query",
    [
        'title:(milk OR "', "milk AND", "NOT milk", "-milk", "+milk^3", "[a TO z]", "milk*",
        "/mi.*/",
        "title:", "row:0", "milk) OR (1", "\\", '"', "milk~2", "IN [milk]", "{", "milk\x00",
        "\x00", "'; DROP TABLE", "…", " ", "__", "a_b milk", "milk:milk", "🥛", "ﬀ", "İ", "ß" * 512,
    ],
)  # fmt: skip
def test_the_syntax_of_the_engine_is_harmless(shop: Shop, query: str) -> None:
    found = shop.search(query, dense=True)
    assert set(found) <= {item.item_id for item in GROCERIES}
    if "milk" in query:
        assert "milk" in shop.search(query)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=st.text(min_size=1, max_size=60))
def test_any_query_is_answered(shop: Shop, query: str) -> None:
    shop.search(query, dense=True)


def test_a_removed_item_never_comes_back(shop: Shop) -> None:
    shop.sell("milk", 99.0)
    shop.remove("milk")
    everyone = Shopper(user=state("milk", "oat", kind=EventType.PURCHASE, items=shop.items))
    for found in (
        shop.search("whole milk", dense=True),
        shop.search("whole milk", dense=True, available=None),
        shop.recommend(everyone),
        shop.recommend(Shopper(), "oat"),
    ):
        assert found
        assert "milk" not in found
    assert "milk" not in shop.search("milk", dense=True)


def test_a_removed_item_is_gone_at_once_even_when_the_encoder_is_down(shop: Shop) -> None:
    assert shop.items.table.remove("milk")
    shop.source.error = ModelUnavailableError("down")
    shop.retrieval.update(shop.items.table.rows(["milk"]))  # nothing to encode, nothing to fail
    assert "milk" not in shop.search("whole milk", dense=True)


def test_an_item_that_is_put_again_is_found_again(shop: Shop) -> None:
    shop.remove("milk")
    shop.put(GROCERIES[0])
    assert shop.search("whole milk")[0] == "milk"
    assert shop.search("whole milk", dense=True)[0] == "milk"


def test_a_changed_title_is_found_under_its_new_words_and_not_the_old(shop: Shop) -> None:
    shop.put(Item("bread", "Sourdough loaf"))
    assert shop.search("sourdough") == ["bread"]
    assert shop.search("rye") == []
    found = shop.retrieval.search("?", shop.vector("Sourdough loaf"), None, 1, ANYTHING)
    assert shop.ids(found) == ["bread"]


def test_while_the_encoder_is_down_words_still_find_what_is_new(shop: Shop) -> None:
    shop.source.error = ModelUnavailableError("down")
    with pytest.raises(ModelUnavailableError):
        shop.put(Item("jam", "Plum jam"))
    assert shop.search("plum") == ["jam"]


def test_the_dense_index_finds_what_the_words_do_not(shop: Shop) -> None:
    assert shop.search("klim") == []
    assert len(shop.search("klim", dense=True)) == len(GROCERIES)


def test_an_item_that_has_words_and_meaning_stands_before_one_that_has_one_of_them(
    shop: Shop,
) -> None:
    both = shop.retrieval.search("salted butter", shop.vector("Salted butter"), None, 50)
    assert shop.ids(both)[0] == "butter"
    assert (np.diff(both.score) <= 0).all()
    assert both.matches is not None
    assert (both.matches.values == both.score).all()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"categories": ("Grocery",)}, {"milk", "oat", "butter", "bread"}),
        ({"categories": ("Grocery>Dairy",)}, {"milk", "oat", "butter"}),
        ({"categories": ("GROCERY > dairy > Milk",)}, {"milk", "oat"}),
        ({"categories": ("Grocery > Dairy > Milk > Fresh",)}, set()),
        ({"categories": ("Grocery > Bakery", "Home")}, {"bread", "glass"}),
        ({"categories": ("Grocery",), "exclude_brands": ("meadow",)}, {"oat", "bread"}),
        ({"categories": ("Dairy",)}, set()),
        ({"categories": (" > ",)}, set()),
        ({"brands": ("Linen", "Crust", "Nobody")}, {"dress", "soap", "bread"}),
        ({"min_price": 4.0}, {"glass", "dress", "soap"}),
        ({"max_price": 2.4}, {"milk", "oat"}),
        ({"min_price": 2.9, "max_price": 2.9}, {"butter"}),
        ({"min_price": 0.0}, {item.item_id for item in GROCERIES} - {"plain"}),
        ({"max_price": 0.0}, set()),
        ({"min_price": 1e308}, set()),
        (
            {"categories": ("Grocery",), "exclude_item_ids": ["milk", "who"]},
            {"oat", "butter", "bread"},
        ),
        ({"categories": ("Grocery",), "brands": ("Meadow",), "max_price": 2.0}, {"milk"}),
    ],
)
def test_filters_let_through_what_satisfies_all_of_them(
    shop: Shop, filters: dict[str, Any], found: set[str]
) -> None:
    assert set(shop.search("anything", dense=True, **filters)) == found
    assert set(shop.recommend(Shopper(), **filters)) == found


def test_attributes_filter_and_are_found(shop: Shop) -> None:
    shop.put(
        Item("red", "Apron", attributes={"Colour": "Red", "SKU": "AB-12/7"}),
        Item("blue", "Apron", attributes={"Colour": "Blue"}),
    )
    assert set(shop.search("apron", attributes={"colour": ("RED",)})) == {"red"}
    assert set(shop.search("apron", attributes={"colour": ("red", "blue")})) == {"red", "blue"}
    assert shop.search("apron", attributes={"size": ("red",)}) == []
    assert shop.search("blue apron")[0] == "blue"
    shop.remove("red")
    assert shop.search("apron", attributes={"colour": ("red",)}) == []


@pytest.mark.parametrize("query", ["ab-12/7", " AB-12/7 ", "ＡＢ-12/7"])
def test_an_item_is_found_by_its_code_alone(shop: Shop, query: str) -> None:
    shop.put(Item("red", "Apron", attributes={"SKU": "AB-12/7"}))
    found = shop.retrieval.search(query, None, None, 5)
    assert shop.ids(found)[0] == "red"
    assert found.score[0] == 1.0
    assert shop.search("SOAP")[0] == "soap"  # an id is a code, too


@pytest.mark.parametrize(
    ("query", "item_id"),
    [("buter", "butter"), ("whoel milk", "milk"), ("dreses", "dress"), ("ryebread", "bread")],
)
def test_misspelt_and_compound_words_are_understood(shop: Shop, query: str, item_id: str) -> None:
    assert shop.search(query)[0] == item_id


def test_a_synonym_finds_what_shares_no_word(shop: Shop, encoder: Tokenizer) -> None:
    assert shop.search("spread") == []
    shop.retrieval = Retrieval(shop.items, shop.source, synonyms=[("spread", ["butter"])])
    shop.retrieval.update(np.arange(len(shop.items.table)))
    assert shop.search("salted spread")[0] == "butter"


def test_the_relevance_of_an_item_does_not_depend_on_what_else_is_asked_about(shop: Shop) -> None:
    vector = shop.vector("whole milk")
    everything = shop.retrieval.matches("whole milk", vector, np.arange(8))
    alone = shop.retrieval.matches("whole milk", vector, np.array([3]))
    assert alone.values[0] == everything.values[3]
    found = shop.retrieval.search("whole milk", vector, None, 50)
    assert found.score.tolist() == everything.values[found.rows].tolist()


def test_what_is_not_relevant_enough_is_not_found_but_told_of(shop: Shop) -> None:
    everything = shop.retrieval.search("salted butter", None, None, 50, ANYTHING)
    assert shop.ids(everything)[0] == "butter"
    best = float(everything.score[0])
    near = shop.retrieval.search("salted butter", None, None, 50, Least(of_best=0.999))
    assert near.score.tolist() == [best]
    none = shop.retrieval.search("salted butter", None, None, 50, Least(relevance=1.1))
    assert (len(none.rows), none.below[0]) == (0, (int(everything.rows[0]), best))


def test_what_is_outside_the_catalogue_is_not_relevant(shop: Shop) -> None:
    matches = shop.retrieval.matches("milk", None, np.array([-1, 0]))
    assert matches.values[0] == 0.0
    assert matches.values[1] > 0.5


def test_what_is_sold_out_is_shown_only_to_who_asks_for_it(shop: Shop) -> None:
    shop.put(Item("milk", "Whole milk", available=False))
    assert "milk" not in shop.search("milk")
    assert "milk" not in shop.search("milk", categories=("Grocery",))
    assert "milk" in shop.search("milk", available=None)
    assert shop.search("milk", available=False) == ["milk"]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        (None, [True, True]),
        ({}, [True, True]),
        ({"available": None}, [True, True]),
        ({"categories": ("Grocery",)}, [False, True]),
        ({"brands": ("Meadow",)}, [False, True]),
        ({"min_price": 0.5}, [False, True]),
        ({"exclude_item_ids": ("milk",)}, [True, False]),
    ],
)
def test_an_item_outside_the_catalogue_passes_unless_something_is_asked_of_it(
    shop: Shop, filters: dict[str, Any] | None, kept: list[bool]
) -> None:
    rows = np.array([-1, 0])
    asked = None if filters is None else Filters(**filters)
    assert shop.retrieval.allowed(rows, asked).tolist() == kept


def test_filters_over_an_empty_catalogue_hold_unknown_items_back(encoder: Tokenizer) -> None:
    table = ItemCache(encoder, 8).table
    everything: dict[str, Any] = {
        "categories": ("a",),
        "brands": ("b",),
        "min_price": 1.0,
        "exclude_item_ids": ("c",),
    }
    rows = np.array([-1, -1])
    assert allowed(table, AttributeIndex(), rows, None).tolist() == [True, True]
    for name, value in everything.items():
        kept = allowed(table, AttributeIndex(), rows, Filters(**{name: value})).tolist()
        assert kept == [name == "exclude_item_ids"] * 2


def test_an_empty_catalogue_finds_nothing(encoder: Tokenizer) -> None:
    shop = Shop(encoder, ItemCache(encoder, 8))
    assert shop.search("milk", dense=True) == []
    assert shop.recommend(Shopper(state("milk"))) == []
    assert shop.recommend(Shopper(), "milk") == []


def test_a_stranger_gets_what_is_popular_and_a_shopper_what_is_near(shop: Shop) -> None:
    shop.sell("dress", 50.0)
    assert shop.recommend(Shopper())[0] == "dress"
    near = shop.recommend(Shopper(session=state("butter", items=shop.items)))
    assert near[0] == "butter"
    assert set(near) == {item.item_id for item in GROCERIES}


def test_a_filter_reaches_below_what_is_most_popular(encoder: Tokenizer) -> None:
    items = groceries(encoder)
    items.upsert([Item(f"x{n}", f"Filler {n}", category="Filler") for n in range(900)])
    shop = Shop(encoder, items)
    for n in range(900):
        items.counters.counts[items.table.row_of[f"x{n}"], Counter.PURCHASE] = 5.0
        items.counters.at_s[items.table.row_of[f"x{n}"]] = NOW_S
    shop.retrieval.refresh_popularity(NOW_S)
    assert shop.recommend(Shopper(), brands=("Oatly",)) == ["oat"]


def test_seeds_find_their_like_and_never_themselves(shop: Shop) -> None:
    found = shop.recommend(Shopper(), "milk", "oat")
    assert found
    assert not {"milk", "oat"} & set(found)


def test_unknown_seeds_get_what_is_popular(shop: Shop) -> None:
    shop.sell("soap", 9.0)
    assert shop.recommend(Shopper(), "who")[0] == "soap"


def test_what_was_bought_before_is_offered_again(shop: Shop) -> None:
    buyer = Shopper(user=state("soap", "soap", "glass", kind=EventType.PURCHASE))
    assert set(shop.recommend(buyer)[:2]) == {"soap", "glass"}


def test_readers_and_the_writer_do_not_meet_halfway(encoder: Tokenizer) -> None:
    """The dense index moves when it grows: a search in that moment reads freed memory."""
    shop = Shop(encoder)
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        seeds = [item.item_id for item in GROCERIES]
        while not done.is_set():
            try:
                shop.search("milk", dense=True)
                shop.recommend(Shopper(), *seeds[:2])
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for start in range(0, 400, 100):
        shop.put(*(Item(f"n{n}", f"New thing {n}") for n in range(start, start + 100)))
        shop.remove(f"n{start}")
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert "n399" in shop.search("thing 399")
