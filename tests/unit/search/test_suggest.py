"""Suggestions: what is completed and corrected, in which order, in any script."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog.counters import Counter, ItemCounters
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.search.suggest.answer import Kind, Suggestion
from serving.search.suggest.suggestions import Suggestions
from tests.support.fakes import NOW_S


class Shop:
    """A catalogue with its suggestions; items are named by their titles."""

    def __init__(self, *items: Item | str, language: str = "en") -> None:
        self.table = ItemTable()
        self.counters = ItemCounters(100)
        self.suggestions = Suggestions(self, language)
        self.put(*items)

    def put(self, *items: Item | str) -> None:
        given = [Item(item, item) if isinstance(item, str) else item for item in items]
        self.suggestions.update(self.table.upsert(given))
        self.suggestions.rebuild(NOW_S)

    def remove(self, item_id: str) -> None:
        self.table.remove(item_id)
        self.suggestions.update(self.table.rows([item_id]))
        self.suggestions.rebuild(NOW_S)

    def sell(self, item_id: str, times: float) -> None:
        row = self.table.row_of[item_id]
        self.counters.counts[row, Counter.PURCHASE] += times
        self.counters.at_s[row] = NOW_S
        self.suggestions.rebuild(NOW_S)

    def full(self, typed: str, limit: int = 8) -> list[Suggestion]:
        return self.suggestions.suggest(typed, limit).suggestions

    def suggested(self, typed: str, limit: int = 8) -> list[str]:
        return [suggestion.text for suggestion in self.full(typed, limit)]

    def queries(self, typed: str) -> list[str]:
        found = self.full(typed, 20)
        return [suggestion.text for suggestion in found if suggestion.kind is Kind.QUERY]

    def corrected(self, typed: str) -> str | None:
        return self.suggestions.suggest(typed, 8).corrected


GROCERY = (
    "Olive oil 500 ml", "Olive oil 1 L", "Extra virgin olive oil 1 L", "Olive soap green",
    "Olive soap white", "Sunflower oil 1 L", "Sunflower oil 2 L", "Mild shampoo 250 ml",
    "Shampoo for men", "Shampoo for kids", "Motor oil",
)  # fmt: skip


@pytest.fixture(scope="module")
def grocery() -> Shop:
    shop = Shop(*GROCERY)
    shop.sell("Olive oil 500 ml", 30)
    shop.sell("Sunflower oil 1 L", 5)
    shop.sell("Olive soap green", 1)
    return shop


def test_what_sells_is_suggested_first(grocery: Shop) -> None:
    assert grocery.suggested("oli")[:3] == ["olive oil", "olive", "olive soap"]
    other = Shop(*GROCERY)
    other.sell("Olive soap green", 9)
    assert other.suggested("oli")[0] == "olive soap"


def test_a_shop_without_events_suggests_what_many_items_are_called() -> None:
    shop = Shop("Tea green", "Tea black", "Tea white", "Tent red", "Tent blue")
    assert shop.queries("te") == ["tea", "tent"]


def test_phrases_that_begin_as_typed_come_before_those_that_have_it_inside(grocery: Shop) -> None:
    assert grocery.suggested("oil")[0] == "oil"
    assert grocery.queries("oil")[1:] == ["olive oil", "sunflower oil"]
    assert grocery.suggested("sunflower o")[0] == "sunflower oil"
    assert grocery.suggested("oil oli")[0] == "olive oil"  # in any order


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("shampo", None), ("shmapoo", "shampoo"), ("shmap", "shampoo"), ("shamppo", "shampoo"),
        ("hampoo", "shampoo"), ("shaampooo", "shampoo"),
    ],
)  # fmt: skip
def test_a_mistyped_word_finds_the_right_one(grocery: Shop, typed: str, meant: str | None) -> None:
    assert grocery.suggested(typed)[0] == "shampoo"
    assert grocery.corrected(typed) == meant


def test_only_the_mistyped_word_is_corrected(grocery: Shop) -> None:
    assert grocery.suggested("sunflwer oi")[0] == "sunflower oil"
    assert grocery.corrected("sunflwer oi") == "sunflower oi"
    assert grocery.suggested("oilve soa")[0] == "olive soap"


def test_a_word_that_is_known_is_not_taken_for_a_mistyped_one() -> None:
    shop = Shop("Milk whole", "Milk lean", "Silk scarf", "Silk dress")
    assert [text for text in shop.suggested("milk") if "ilk" in text and text[0] in "sS"] == []
    assert all("milk" in text.lower() for text in shop.suggested("milk whoel"))
    # What may yet become another word is completed first, and corrected below.
    assert shop.suggested("sill")[0] == "silk"


def test_short_words_and_numbers_are_not_guessed_at() -> None:
    shop = Shop("Red tea", "Red tea pot", "Iphone 15", "Iphone 15 blue")
    assert shop.suggested("tae") == []
    assert shop.suggested("12345") == []


def test_capitals_widths_and_marks_do_not_count() -> None:
    shop = Shop("Crème brûlée", "Crème brûlée large", "Crème fraîche", "T-shirt red", "T-shirt")
    for typed in ("CREME B", "crème b", "ｃｒｅｍｅ ｂ", "  Creme  B"):
        assert shop.suggested(typed)[0] == "crème brûlée"
    for typed in ("t-sh", "tsh", "T SH"):
        assert shop.suggested(typed)[0] == "t-shirt"


def test_chinese_is_found_from_the_first_character_and_from_inside() -> None:
    shop = Shop(
        Item("1", "耐克男子跑鞋 轻便透气", category="运动 > 跑鞋", brand="耐克"),
        Item("2", "耐克女子跑鞋 轻便透气"), Item("3", "安踏男子篮球鞋"),
        Item("4", "男子 篮球鞋 新款"), Item("5", "女子篮球鞋"),
    )  # fmt: skip
    assert shop.full("跑")[0] == Suggestion("跑鞋", Kind.CATEGORY, category="运动 > 跑鞋")
    assert shop.suggested("跑鞋")[0] == "跑鞋"
    assert shop.suggested("篮")[0] == "篮球鞋"
    assert shop.suggested("轻便")[0] == "轻便透气"
    assert shop.suggested("耐")[0] == "耐克"
    # Parts of words are none: nothing ever begins with the second character of "men's".
    assert all(not text.startswith("子") for text in shop.queries("子"))
    assert all("鞋跑" not in text for text in shop.suggested("鞋跑"))


@pytest.mark.parametrize(
    ("title", "typed"),
    [
        ("ランニングシューズ 軽量", "らんに"), ("ランニングシューズ 軽量", "ﾗﾝﾆﾝｸﾞ"),
        ("런닝화 남성", "런니"), ("런닝화 남성", "ㄹ"), ("Красный чайник", "КРАС"),
        ("รองเท้าวิ่ง ผู้ชาย", "รองเท้"), ("चाय की पत्ती", "पत्"), ("حذاء رياضي", "حذ"),
        ("İpek eşarp", "ipek es"),
    ],
)  # fmt: skip
def test_other_scripts_are_completed(title: str, typed: str) -> None:
    shop = Shop(title, Item("2", f"{title} 2"), "Something else", "Something more")
    first = shop.suggested(typed)[0]
    assert first in title.lower().replace("i̇", "i")
    assert shop.full(typed)[0].kind is Kind.QUERY


def test_categories_of_every_level_and_brands_are_suggested_with_their_kind() -> None:
    shop = Shop(
        Item("1", "Whole", category="Food > Dairy > Milk", brand="Meadow"),
        Item("2", "Lean", category="food>dairy", brand="MEADOW"),
    )
    assert shop.full("mi") == [Suggestion("Milk", Kind.CATEGORY, category="Food > Dairy > Milk")]
    assert shop.full("da") == [Suggestion("Dairy", Kind.CATEGORY, category="Food > Dairy")]
    assert shop.full("me") == [Suggestion("Meadow", Kind.BRAND)]


def test_each_text_is_suggested_once() -> None:
    shop = Shop(
        Item("1", "Olive Oil", category="Food > Olive oil", brand="OLIVE OIL"),
        Item("2", "olive oil", category="Gifts > Olive  Oil"),
        Item("3", "OLIVE OIL"),
    )
    shop.sell("2", 5)
    assert shop.full("oli") == [
        Suggestion("Olive  Oil", Kind.CATEGORY, category="Gifts > Olive  Oil")
    ]


def test_items_fill_what_phrases_leave() -> None:
    shop = Shop(*GROCERY)
    found = shop.full("mot")
    assert found == [Suggestion("Motor oil", Kind.ITEM, item_id="Motor oil")]
    assert [each.kind for each in shop.full("olive oil")][-1] is Kind.ITEM
    assert len(shop.full("o", 2)) == 2


def test_what_cannot_be_bought_is_not_suggested() -> None:
    shop = Shop("Plum jam", Item("2", "Plum jam big"), Item("3", "Pear cake", brand="Orchard"))
    assert shop.suggested("plum") == ["plum jam", "Plum jam big"]
    shop.remove("2")
    assert shop.suggested("plum") == ["Plum jam"]
    shop.put(Item("3", "Pear cake", brand="Orchard", available=False))
    assert shop.suggested("pear") == shop.suggested("orch") == []
    shop.table.remove("Plum jam")  # known before the index is made anew
    assert shop.suggested("plum") == []


def test_a_changed_item_is_suggested_by_its_new_title_alone() -> None:
    shop = Shop(Item("1", "Plum jam"))
    shop.put(Item("1", "Rye bread"))
    assert shop.suggested("plum") == []
    assert shop.suggested("rye") == ["Rye bread"]


def test_sizes_and_function_words_end_no_phrase() -> None:
    shop = Shop("Milk with honey 500 ml", "Milk with honey 2 L", "Milk for kids", "Lamp of glass")
    found = shop.queries("mi") + shop.queries("ho") + shop.queries("w") + shop.queries("5")
    assert "milk with honey" in found
    assert not [text for text in found if text.endswith(("with", "ml", "500"))]
    assert not [text for text in found if text.startswith("with")]


def test_a_part_that_always_goes_on_with_one_word_is_no_phrase() -> None:
    shop = Shop("Extra virgin oil", "Extra virgin oil big", "Extra virgin oil small")
    assert shop.queries("ex") == ["extra virgin oil"]


def test_nothing_typed_gets_what_is_popular_of_several_kinds(grocery: Shop) -> None:
    shop = Shop(
        *(Item(f"{n}", f"Green tea {n}", category=f"C{n}", brand=f"B{n}") for n in range(9))
    )
    kinds = [suggestion.kind for suggestion in shop.full("", 8)]
    assert kinds.count(Kind.CATEGORY) <= 4
    assert kinds.count(Kind.BRAND) <= 4
    assert Kind.QUERY in kinds
    assert grocery.suggested(" ")[0] == "olive oil"
    assert Shop().full("", 8) == []


def test_an_index_is_made_anew_only_after_a_change_and_not_too_often() -> None:
    shop = Shop("Plum jam")
    shop.suggestions.update(shop.table.upsert([Item("2", "Rye bread")]))
    shop.suggestions.refresh(NOW_S)
    assert shop.suggested("rye") == ["Rye bread"]
    shop.suggestions.update(shop.table.upsert([Item("3", "Rice cake")]))
    shop.suggestions.refresh(NOW_S + 9)
    assert shop.suggested("rice") == []
    shop.suggestions.refresh(NOW_S + 11)
    assert shop.suggested("rice") == ["Rice cake"]
    made = shop.suggestions._index
    shop.suggestions.refresh(NOW_S + 100)
    assert shop.suggestions._index is made
    shop.suggestions.touch()
    shop.suggestions.refresh(NOW_S + 101)
    assert shop.suggestions._index is not made


def test_a_keystroke_is_answered_soon_in_a_shop_of_many_items() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"{a}{b}{c}" for a in "bdfgklmprst" for b in "aeiou" for c in "lnrst"])
    drawn: Sequence[Sequence[str]] = words[(rng.zipf(1.3, (5_000, 6)) - 1) % len(words)].tolist()
    shop = Shop()
    shop.counters.resize(5_000)
    shop.put(*(Item(str(number), " ".join(title)) for number, title in enumerate(drawn)))
    took_s = []
    for title in drawn[:200]:
        typed = " ".join(title)[: int(rng.integers(1, 21))]
        started_s = time.thread_time()
        shop.suggested(typed)
        took_s.append(time.thread_time() - started_s)
    assert np.percentile(took_s, 90) < 0.02


def test_a_long_text_is_read_as_far_as_it_says_anything() -> None:
    shop = Shop("a " * 20 + "tea", "茶" * 40)
    for typed in ("a " * 64, "茶" * 128):
        assert len(shop.suggested(typed)) == 1


TYPED = st.text(max_size=40) | st.text("olive shampo,.-'&1 跑鞋らんกไ런\u0301", max_size=40)
MIXED = Shop(
    *GROCERY, "耐克男子跑鞋", "ランニング 1 kg", "런닝화", "กาแฟ 100 g", "Salt & pepper", "!!!", " "
)


@settings(max_examples=300, deadline=None)
@given(TYPED, st.integers(1, 20))
def test_whatever_is_typed_gets_distinct_suggestions_up_to_the_limit(
    typed: str, limit: int
) -> None:
    found = MIXED.suggested(typed, limit)
    assert len(found) == len(set(found)) <= limit
    assert all(found)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5))
def test_a_title_of_any_characters_is_found_by_its_beginning(titles: list[str]) -> None:
    shop = Shop(*dict.fromkeys(titles))
    for title in titles:
        if any(map(str.isalpha, title)):
            assert shop.suggested(title[:1] if title[0].isalpha() else title, 20)
