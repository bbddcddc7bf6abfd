"""Terms of texts, in several languages."""

import pytest

from serving.search.words.analysis import Analyzer


@pytest.mark.parametrize(
    ("language", "written", "asked"),
    [
        ("en", "Running Shoes", "running shoe"),
        ("en", "Crème Brûlée", "creme brulee"),
        ("en", "Johnson\u2019s baby oil", "johnson's baby oil"),
        ("en", "Ｆｕｌｌ ｗｉｄｔｈ", "full width"),
        ("de", "Schlüssel", "schlussel"),
        ("de", "Fußbälle", "FUSSBALL"),
        ("ru", "красный чайник", "красные чайники"),
        ("tr", "IŞIK İç", "ışık iç"),
        ("ja", "ﾗﾝﾆﾝｸﾞ", "ランニング"),
    ],
)
def test_words_meet_in_whatever_form_they_are_written(
    language: str, written: str, asked: str
) -> None:
    analyzer = Analyzer(language)
    assert analyzer.terms(written) == analyzer.terms(asked)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.5 L", "1500ml"),
        ("1,5 l", "1500 ml"),
        ("0.5kg", "500 g"),
        ("500克", "500g"),
        ("２斤", "1kg"),
        ("1,000 GB", "1tb"),
        ("2 lbs", "32 oz"),
    ],
)
def test_a_quantity_is_one_term_whatever_its_unit(one: str, other: str) -> None:
    analyzer = Analyzer()
    assert len(analyzer.terms(one)) == 1
    assert analyzer.terms(one) == analyzer.terms(other)


def test_writing_without_spaces_becomes_pairs_of_characters() -> None:
    assert Analyzer("zh").terms("男士跑鞋 iPhone壳") == ["男士", "士跑", "跑鞋", "iphone", "壳"]


def test_a_unit_is_none_inside_a_word() -> None:
    assert Analyzer().terms("7 liters") != Analyzer().terms("7 literacy")
    assert "liter" not in "".join(Analyzer().terms("7 lemons"))


def test_punctuation_and_query_syntax_are_no_terms() -> None:
    assert Analyzer().terms('title:"a" AND (b~2) \\ *') == ["titl", "a", "and", "b", "2"]
