"""At most three reasons, of what adds to the score, in the shop's language."""

from string import Formatter

import pytest

from serving.models.columns.families import Family
from serving.ranking.explaining.facts import Fact
from serving.ranking.explaining.phrases import (
    LANGUAGES,
    PHRASES,
    phrase,
    place_without_history,
)
from serving.ranking.explaining.reasons import language_of, reasons
from serving.ranking.slate.exploration import DRAWN, HARDLY_SEEN

BOUGHT = Fact(Family.BOUGHT_BEFORE, "bought", {"times": 4, "days_ago": 12})
SOLD = Fact(Family.POPULARITY, "sold", {"times": 31, "days": 30})
NEW = Fact(Family.NEWNESS, "new", {"days_ago": 5})
TITLE = Fact(Family.QUERY_MATCH, "title", {"query": "oat milk"})
PRICE = Fact(Family.PRICE, "price", {"share": 15})
DUE = Fact(Family.BOUGHT_BEFORE, "due", {"every_days": 7, "days_ago": 7})


def test_the_families_that_add_most_come_first_and_none_that_does_not_add() -> None:
    weights = {Family.POPULARITY: 0.4, Family.BOUGHT_BEFORE: 0.1, Family.PRICE: -0.2}
    found = reasons([BOUGHT, PRICE, NEW, SOLD], [], weights, "en")
    assert found == (
        "bought at least 31 times in the last 30 days",
        "you bought it 4 times, the last time 12 days ago",
        "costs within 15 % of what you usually choose",
    )


def test_rules_come_first_then_the_query_and_there_are_three_at_most() -> None:
    weights = dict.fromkeys(Family, 1.0)
    notes = ["boost +0.5: own brand week", "pin at 3: new season: spring"]
    found = reasons([TITLE, BOUGHT, SOLD], notes, weights, "en")
    assert found == (
        "the shop favours it: own brand week",
        "the shop puts it here: new season: spring",
        "matches “oat milk” in the title",
    )


def test_of_a_family_one_fact_is_told() -> None:
    assert len(reasons([DUE, BOUGHT], [], None, "en")) == 1


def test_what_is_new_and_explored_is_said_to_be_shown_to_learn() -> None:
    (found,) = reasons([NEW], [HARDLY_SEEN], {Family.NEWNESS: 1.0}, "en")
    assert found == "new: first seen in the shop 5 days ago, shown to learn"
    (found,) = reasons([], [HARDLY_SEEN], {}, "en")
    assert found == "hardly anyone has seen it yet, shown to learn"
    (found,) = reasons([], [DRAWN], {}, "en")
    assert found == "stands a little higher by chance, to learn"


@pytest.mark.parametrize(
    ("note", "words"),
    [("bury: sold out soon", "the shop holds it back: sold out soon"),
     ("boost -1: old season", "the shop holds it back: old season"),
     ("fatigue -0.7: shown 5 times, not clicked", "you were shown it 5 times and did not take it"),
     ("hidden by the shopper", "you hid it")],
)  # fmt: skip
def test_what_a_rule_noted_is_told_in_words(note: str, words: str) -> None:
    assert reasons([], [note], {}, "en") == (words,)


def test_every_reason_is_told_in_every_language_with_the_same_fields() -> None:
    for key, told in PHRASES.items():
        fields = {frozenset(name for _, name, _, _ in Formatter().parse(text) if name)
                  for text in told}  # fmt: skip
        assert len(told) == len(LANGUAGES), key
        assert len(fields) == 1, key
        assert len(set(told)) == len(LANGUAGES), key


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "you bought it twice, the last time a day ago"),
     ("zh", "您买过 2 次,最近一次是 1 天前"),
     ("de", "Sie haben es zweimal gekauft, zuletzt vor einem Tag")],
)  # fmt: skip
def test_numbers_are_counted_as_the_language_counts(language: str, words: str) -> None:
    assert phrase(language, "bought", times=2, days_ago=1) == words


@pytest.mark.parametrize(
    ("place", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (14, "14th"), (23, "23rd")],
)
def test_a_place_is_an_ordinal(place: int, words: str) -> None:
    assert place_without_history("en", place) == f"without your history it would be {words}"
    assert str(place) in place_without_history("zh", place)
    assert str(place) in place_without_history("de", place)


@pytest.mark.parametrize(
    ("locale", "shop", "language"),
    [("de-AT", "en", "de"), ("zh_CN", "en", "zh"), (None, "de", "de"), ("fr", "zh", "zh"),
     ("fr", "fr", "en")],
)  # fmt: skip
def test_the_request_says_the_language_else_the_shop(
    locale: str | None, shop: str, language: str
) -> None:
    assert language_of(locale, shop) == language
