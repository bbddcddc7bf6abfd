"""What counts as a word."""

import pytest

from features.catalog.words import folded, query_for, words


def test_words_are_compared_without_case_and_plural() -> None:
    assert words("Dresses, DRESS; (s) it's") == {"dresse", "dre", "s", "it"}


def test_folded_texts_meet_whatever_their_capitals_widths_and_spacing() -> None:
    assert (
        folded(" \uff24\uff41\uff49\uff52\uff59\u3000 Products ")
        == folded("DAIRY products")
        == "dairy products"
    )
    assert folded("Straße") == folded("STRASSE")
    assert folded("Cafe\u0301") == folded("CAFÉ")
    assert folded("ﾊﾞｯｸﾞ") == folded("バッグ")
    assert folded("Tea") != folded("Té")


@pytest.mark.parametrize(
    ("title", "query"),
    [
        ("2% Milk, Store Brand, 16 oz", "milk store"),
        ("Popular 750ml Wines", "popular wines"),
        ("4K HDMI Cable 2m", "hdmi cable"),
        ("Men's Ski Jacket", "men ski"),
        ("Crème de cassis", "crème cassis"),
        ("Чай и кофе зелёный", "чай кофе"),
        ("绿茶", "绿茶"),
        ("西湖龙井茶叶特级明前礼盒装二百五十克", "西湖龙井茶叶特级明前礼盒"),
        ("हिन्दी किताब नई", "हिन्दी किताब"),
        ("ชาเขียว 20 ซอง", "ชาเขียว ซอง"),
        ("شاي أخضر 20 كيس", "شاي أخضر"),
        ("TV", "tv"),
        ("501", "501"),
        ("★★★", "★★★"),
    ],
)
def test_a_query_is_the_first_telling_words_of_a_title_in_any_script(
    title: str, query: str
) -> None:
    assert query_for(title) == query
