"""The transparency document says what the version and the rules say, in three languages."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from serving.http.transparency.routes import document, section
from serving.http.transparency.sentences import FAMILY_NAMES, shares
from serving.models.columns.about import About
from serving.models.columns.families import FAMILIES, Family
from serving.ranking.explaining.phrases import LANGUAGES
from serving.shops.rules import Rules
from tests.support.service import Service, candidates, problem

LOST = {"bought_before": 0.30, "popularity": 0.06, "price": 0.04, "newness": -0.001}
ABOUT = About("3", "2026-11-28T09:00:00+00:00", LOST)
PAID = Rules.model_validate(
    {
        "exploration": {"share": 0.1},
        "boosts": [
            {"match": {"brand": "Meadow"}, "lift": 2.0, "reason": "campaign", "sponsored": True},
            {"match": {"brand": "Oatly"}, "lift": 0.5, "reason": "own choice"},
        ],
    }
)


def told(rules: Rules, about: About | None = ABOUT, language: str = "en") -> dict[str, Any]:
    return document(language, about, rules, 1_790_000_000.0)


def test_importance_is_carried_through_the_configuration() -> None:
    again = About.of(ABOUT.parameters())
    assert (again.version, again.published) == ("3", ABOUT.published)
    assert again.importance == pytest.approx(LOST)
    assert About.of({}) == About()
    assert About.of({"importance": "price:much"}).importance is None
    assert About.of({"importance": "unheard_of:0.5"}).importance is None


def test_shares_are_of_all_that_counts_and_chance_counts_nothing() -> None:
    found = shares(LOST)
    assert found[Family.BOUGHT_BEFORE] == 75
    assert found[Family.NEWNESS] == 0
    assert list(found)[:3] == [Family.BOUGHT_BEFORE, Family.POPULARITY, Family.PRICE]


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_rule_of_each_kind_is_not_told_as_several(language: str) -> None:
    rules = {
        "boosts": [
            {"match": {"brand": "Meadow"}, "lift": 2.0, "reason": "paid", "sponsored": True}
        ],
        "pins": [{"item_id": "milk", "position": 1, "reason": "season"}],
        "diversity": {"max_same": 1},
        "floors": [{"name": "new items", "newer_than_days": 30, "share": 0.1}],
        "fatigue": {"strength": 1.0, "after": 1},
    }
    text = " ".join(told(Rules.model_validate(rules), language=language)["sentences"])
    assert "new items" in text
    assert not re.search(r"\b1 (rules|items|times|of these rules are|Regeln|dieser Regeln)", text)


def test_the_sentences_follow_from_importance_and_rules() -> None:
    found = told(PAID)
    assert found["sentences"][:2] == [
        "What counts most is what you bought before: about 75 % of what decides the order.",
        "Then how many others look at it and buy it: about 15 %.",
    ]
    text = " ".join(found["sentences"])
    assert "Paid for among these rules: 1." in text
    assert "about 10 % of rankings" in text
    assert found["sponsored_rules"] == 1
    quiet = {"exploration": {"share": 0}, "diversity": {"depth": 0}}
    looking = {**quiet, "looks": {"strength": 1}}
    assert "looks like what you chose" in " ".join(told(Rules.model_validate(looking))["sentences"])
    plain = " ".join(told(Rules.model_validate(quiet))["sentences"])
    assert "None of the shop's rules is paid for." in plain
    assert "chance" not in plain
    assert "neighbours" not in plain
    assert "looks like" not in plain


@pytest.mark.parametrize("about", [None, About("2")])
def test_what_was_not_measured_has_no_share(about: About | None) -> None:
    found = told(PAID, about)
    assert {family["share"] for family in found["families"]} == {None}
    assert found["model_version"] == (about.version if about else None)
    assert found["sponsored_rules"] == 1
    assert "not measured" in found["sentences"][0]
    assert "%" not in found["sentences"][0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_tells_as_much(language: str) -> None:
    found = told(PAID, language=language)
    assert len(found["sentences"]) == len(told(PAID)["sentences"])
    assert all(len(names) == len(LANGUAGES) for names in FAMILY_NAMES.values())
    assert "" not in found["sentences"]
    assert language == "en" or not {*found["sentences"]} & {*told(PAID)["sentences"]}


def test_the_section_is_one_element_without_style_or_script() -> None:
    found = told(PAID)
    found["sentences"] = ["<script>alert(1)</script> & more"]
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            tags.append(tag)

    Reader().feed(section(found))
    assert set(tags) <= {"section", "h2", "ul", "li", "p", "small"}
    assert tags.count("section") == 1


@pytest.fixture
def shop(tokenizer_path: Path) -> Service:
    return Service(tokenizer_path, rules=PAID)


async def test_the_document_is_asked_for_with_a_key(shop: Service) -> None:
    answer = await shop.call("GET", "/v1/transparency", "rank")
    found = answer.json()
    assert {family["family"] for family in found["families"]} == {*FAMILIES} - {"other"}
    assert found["language"] == "en"
    german = await shop.call("GET", "/v1/transparency", "rank", params={"language": "de"})
    assert german.json()["title"] == "Wie wir ordnen, was wir zeigen"
    page = await shop.call("GET", "/v1/transparency", "rank", params={"format": "html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<section")
    assert (await shop.call("GET", "/v1/transparency", "events")).status_code == 403


async def test_a_language_that_there_is_not_is_named(shop: Service) -> None:
    answer = await shop.call("GET", "/v1/transparency", "rank", params={"language": "fr"})
    assert answer.status_code == 422
    assert "language" in problem(answer)["detail"]


async def test_what_was_paid_for_is_told_in_every_answer(shop: Service) -> None:
    body = {"user_id": "ann", "candidates": candidates("milk", "oat", "bread")}
    items = (await shop.post("/v1/rank", body)).json()["items"]
    assert {item["item_id"] for item in items if item.get("sponsored")} == {"milk"}
    told = (await shop.post("/v1/rank", {**body, "explain": True})).json()["items"]
    reasons = {item["item_id"]: item["explanation"]["reasons"] for item in told}
    assert reasons["milk"][0] == "sponsored: campaign"
    assert reasons["oat"][0] == "the shop favours it: own choice"
