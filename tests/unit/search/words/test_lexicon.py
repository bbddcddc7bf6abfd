"""What a query's words mean in a catalogue."""

from collections.abc import Sequence

import numpy as np
import pytest

from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.search.words.analysis import Analyzer
from serving.search.words.item_terms import ItemTerms
from serving.search.words.lexicon import Lexicon

TITLES = (
    "Shampoo for dogs",
    "Sport shoes",
    "Ice cream",
    "Tortillas",
    "跑鞋 男",
    "Model AB1234 lamp",
)


@pytest.fixture
def items() -> ItemTerms:
    return terms_of(TITLES)


def terms_of(titles: Sequence[str]) -> ItemTerms:
    table = ItemTable(Item(str(n), title) for n, title in enumerate(titles))
    terms = ItemTerms(Lexicon(Analyzer()))
    terms.update(np.arange(len(table)), table)
    return terms


def meant(items: ItemTerms, query: str) -> list[list[str]]:
    lexicon = items.lexicon
    return [[lexicon.terms[code] for code, _ in term.meant] for term in lexicon.query_terms(query)]


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("shampoos", [["shampoo"]]),
        ("shmapoo", [["shampoo"]]),
        ("shamppo", [["shampoo"]]),
        ("sportshoes", [["sport"], ["shoe"]]),
        ("icecream", [["ice"], ["cream"]]),
        ("shampoo for the dogs", [["shampoo"], ["dog"]]),
        ("跑", [["跑鞋"]]),
        ("zxqv", [[]]),
        ("for", [["for"]]),  # said of nothing else, it is what is asked
    ],
)
def test_words_mean_what_the_catalogue_has(
    items: ItemTerms, query: str, terms: list[list[str]]
) -> None:
    assert meant(items, query) == terms


@pytest.mark.parametrize(
    ("query", "terms", "corrected"),
    [
        ("ecloth", [["e"], ["cloth"]], "e-cloth"),  # not cloth, which is one letter away
        ("kcups", [["k"], ["cup"]], "k-cup"),
        ("xbox", [["xbox"]], "xbox"),  # as most write it
    ],
)
def test_what_items_write_with_a_hyphen_is_found_without(
    query: str, terms: list[list[str]], corrected: str
) -> None:
    titles = (
        "E-Cloth duster",
        "K-Cup pods",
        "T-Shirt",
        "T-shirt, long",
        "Tshirt",
        "Xbox",
        "Xbox 1",
    )
    written = terms_of((*titles, "X-box sleeve", "Cloth", "Box"))
    assert meant(written, query) == terms
    assert written.lexicon.corrected(query) == corrected


@pytest.mark.parametrize("query", ["dgo", "ab1235", "9876543210", "跑鞍"])
def test_short_words_numbers_and_characters_are_not_guessed_at(
    items: ItemTerms, query: str
) -> None:
    assert meant(items, query) == [[]]


def test_a_guess_counts_less_than_the_word_itself(items: ItemTerms) -> None:
    ((_, exact),) = items.lexicon.query_terms("shampoo")[0].meant
    ((_, guessed),) = items.lexicon.query_terms("shmapoo")[0].meant
    assert guessed < exact == 1.0


def test_a_query_is_corrected_to_words_of_the_catalogue(items: ItemTerms) -> None:
    assert items.lexicon.corrected("shmapoo for dogs") == "shampoo for dogs"
    assert items.lexicon.corrected("tortilals") == "tortillas"
    assert items.lexicon.corrected("Ice Cream!") == "Ice Cream!"  # nothing to correct
    assert items.lexicon.corrected("shmapoo 手机壳套装 5kg") == "shampoo 手机壳套装 5kg"


@pytest.mark.parametrize("query", ["DOGS shampoo", "ice-creams", "跑鞋 男"])
def test_a_query_whose_words_items_all_have_is_correct(items: ItemTerms, query: str) -> None:
    assert items.lexicon.has(query)
    assert items.lexicon.corrected(query) == query


def test_words_of_removed_and_changed_items_are_forgotten(items: ItemTerms) -> None:
    table = ItemTable(Item(str(n), title) for n, title in enumerate(TITLES))
    table.remove("0")
    table.upsert([Item("3", "Bread")])
    items.update(np.array([0, 3]), table)
    assert meant(items, "shampoo") == [[]]
    assert meant(items, "tortillas") == [[]]
    assert meant(items, "bread") == [["bread"]]
    assert items.lexicon.n_items == len(TITLES) - 1


def test_rare_words_weigh_more(items: ItemTerms) -> None:
    lexicon = items.lexicon
    table = ItemTable(Item(str(n), "Sport towel") for n in range(6, 30))
    fresh = ItemTerms(lexicon)
    fresh.update(np.arange(len(table)), table)
    common, rare = (lexicon.code_of[term] for term in ("sport", "cream"))
    rarity = lexicon.rarity(np.array([common, rare, -1]))
    assert 0 == rarity[2] < rarity[0] < rarity[1] < lexicon.rarity_of_unknown()


def test_words_are_joined_only_where_the_whole_is_one_word(items: ItemTerms) -> None:
    assert meant(items, "sport shoes") == [["sport"], ["shoe"]]
    table = ItemTable([Item("7", "Icecream vanilla"), Item("8", "手机"), Item("9", "42 pieces")])
    items.update(np.array([0, 1, 2]), table)
    assert meant(items, "ice cream") == [["icecream"], ["icecream"]]
    assert meant(items, "手机壳") == [["手机"], []]
    assert meant(items, "4 2 pieces") == [[], [], ["piec"]]


def test_only_so_many_unknown_words_are_guessed_at(items: ItemTerms) -> None:
    known = [bool(term) for term in meant(items, " ".join(f"s{c}ampoo" for c in "abcdefgijklm"))]
    assert known == [True] * 8 + [False] * 4


def test_what_shoppers_type_is_not_kept(items: ItemTerms) -> None:
    analyzer = items.lexicon.analyzer
    items.lexicon.corrected("tortillaz secretly shampooings")
    assert analyzer.word_of("secret") == "secret"
    assert not any("secret" in word for word in (*analyzer._term_of, *analyzer._word_of))


def test_an_item_is_never_without_its_terms_while_others_change() -> None:
    class Watching(Analyzer):
        items: ItemTerms | None = None

        def terms(self, text: str, learn: bool = False) -> list[str]:
            if self.items is not None:
                seen.append(bool((self.items.codes[:4] >= 0).any(axis=1).all()))
            return super().terms(text, learn)

    seen: list[bool] = []
    analyzer = Watching()
    table = ItemTable(Item(str(n), title) for n, title in enumerate(TITLES[:4]))
    items = ItemTerms(Lexicon(analyzer))
    items.update(np.arange(4), table)
    analyzer.items = items
    items.update(np.arange(4), table)
    assert seen
    assert all(seen)
    assert items.lexicon.n_items == 4


def test_a_value_that_many_share_is_no_code() -> None:
    attributes = {"model": "Standard"}
    table = ItemTable(Item(f"i{n}", "Lamp", attributes=attributes) for n in range(30))
    items = ItemTerms(Lexicon(Analyzer()))
    items.update(np.arange(30), table)
    assert items.rows_of_code("standard").tolist() == []
    assert items.rows_of_code("I7").tolist() == [7]


def test_each_of_several_codes_finds_its_item() -> None:
    shirt = Item("shirt", "Shirt", attributes={"sku": "LS-W-S, LS-W-M"})
    items = ItemTerms(Lexicon(Analyzer()))
    items.update(np.arange(1), ItemTable([shirt]))
    assert items.rows_of_code("ls-w-m").tolist() == [0]
    assert items.rows_of_code("LS-W-S, LS-W-M").tolist() == [0]
    assert items.rows_of_code("LS-W").tolist() == []
