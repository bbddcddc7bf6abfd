"""Other words for the same thing, as a language's dictionary has them."""

from collections.abc import Callable

import pytest

from serving.search.words.dictionary import Dictionary


def only(*words: str) -> Callable[[str], bool]:
    """A catalogue of these words."""
    return lambda word: word in words


@pytest.mark.parametrize(
    ("language", "query", "sold"),
    [
        ("zh", "改锥", "螺丝刀"),
        ("zh", "尿不湿", "纸尿裤"),
        ("ja", "ねじ回し", "ドライバー"),
        ("ja", "珈琲", "コーヒー"),
    ],
)
def test_a_word_is_read_as_the_one_that_the_catalogue_has(
    language: str, query: str, sold: str
) -> None:
    assert Dictionary(language).readings(query, only(sold)) == [sold]
    assert Dictionary(language).readings(query, only()) == []


def test_the_rest_of_the_query_stays() -> None:
    assert Dictionary("zh").readings("十字改锥 6件", only("螺丝刀")) == ["十字螺丝刀 6件"]


def test_full_width_letters_and_half_width_katakana_are_read_as_the_usual_ones() -> None:
    assert Dictionary("ja").readings("ｽﾏﾎ", only("スマートフォン")) == ["スマートフォン"]


def test_a_word_does_not_end_within_katakana() -> None:
    assert Dictionary("ja").readings("ブラ", only("ブラジャー")) == ["ブラジャー"]
    assert Dictionary("ja").readings("歯ブラシ", only("ブラジャー")) == []


def test_a_word_within_a_longer_one_of_the_dictionary_is_not_read() -> None:
    japanese = Dictionary("ja")
    assert japanese.readings("電子", only("エレクトロン")) == ["エレクトロン"]
    assert japanese.readings("電子レンジ", only("エレクトロン")) == []


def test_readings_are_few_however_many_words_the_catalogue_has() -> None:
    assert 0 < len(Dictionary("ja").readings("赤ちゃん 珈琲 携帯", lambda _: True)) <= 3


def test_a_language_without_a_dictionary_has_no_readings() -> None:
    assert Dictionary("en").readings("raincoat", lambda _: True) == []
