"""Other words for the same thing."""

from serving.search.words.analysis import Analyzer
from serving.search.words.synonyms import Synonyms, meanings


def test_each_phrase_of_a_group_is_read_as_the_others() -> None:
    synonyms = Synonyms(Analyzer(), meanings([["sneakers", "running shoes", "trainers"]], []))
    assert synonyms.readings("red sneaker") == ["red running shoes", "red trainers"]
    assert synonyms.readings("Running Shoes 42") == ["sneakers 42", "trainers 42"]


def test_one_way_is_not_read_backwards() -> None:
    synonyms = Synonyms(Analyzer(), meanings([], [("citrus", ["lemons", "limes"])]))
    assert synonyms.readings("fresh citrus") == ["fresh lemons", "fresh limes"]
    assert synonyms.readings("lemons") == []


def test_a_phrase_inside_other_words_means_nothing() -> None:
    synonyms = Synonyms(Analyzer(), meanings([["pop", "soda"]], []))
    assert synonyms.readings("popcorn") == []
    assert synonyms.readings("soda") == ["pop"]


def test_chinese_phrases_are_read_too() -> None:
    synonyms = Synonyms(Analyzer("zh"), meanings([["电脑", "笔记本"]], []))
    assert synonyms.readings("新电脑包") == ["新笔记本包"]


def test_readings_are_few_however_many_meanings_there_are() -> None:
    group = [f"word{n}" for n in range(50)]
    assert len(Synonyms(Analyzer(), meanings([group], [])).readings("word1 word2")) <= 6
