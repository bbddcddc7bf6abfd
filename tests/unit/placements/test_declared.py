"""Placements and pages in the file of the rules: a mistake names its place, and rules are laid one
upon the other."""

from pathlib import Path
from typing import Any

import pytest

from features.objective import Objective
from serving.experiments.assignment import Assigner, Unit
from serving.experiments.draw import Asked
from serving.shops.placements.placement import Placement
from serving.shops.rules import Rules, RulesError, read_rules
from serving.shops.together import drawn_by

HALF = [{"key": "old"}, {"key": "new", "rules": {"boosts": []}}]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("placements: {Home: {}}", "placements.Home"),
        ("placements: {home: {kpis: 1}}", "placements.home.kpis"),
        ("placements: {home: {candidates: {strategy: best}}}", "home.candidates.strategy"),
        ("placements: {home: {candidates: {query: a}}}", "query: only the strategy search"),
        ("placements: {home: {candidates: {strategy: new, of: cart}}}", "of: only the strategy"),
        ("placements: {home: {candidates: {strategy: given, at_most: 3}}}", "at_most: only"),
        ("placements: {home: {candidates: {filters: {colour: a}}}}", "candidates.filters.colour"),
        ("placements: {home: {ranker: new}}", "placements.home.ranker"),
        ("placements: {home: {objective: {click: -1}}}", "placements.home.objective.click"),
        ("placements: {home: {kpi: {events: []}}}", "placements.home.kpi.events"),
        ("placements: {home: {kpi: {count: value}}}", "count: only purchases and returns"),
        (
            "placements: {home: {rules: {diversity: {max_same: 0}}}}",
            "home.rules.diversity.max_same",
        ),
        ("placements: {home: {rules: {synonyms: []}}}", "home.rules.synonyms: is the shop's"),
        ("placements: {home: {rules: {placements: {}}}}", "home.rules.placements: is the shop's"),
        ("pages: {home: {shelves: []}}", "pages.home.shelves"),
        ("pages: {home: {shelves: [{placement: x}]}}", "pages.home.shelves.0.placement: no place"),
        (
            "{placements: {a: {candidates: {strategy: given}}}, "
            "pages: {home: {shelves: [{placement: a}]}}}",
            "pages.home.shelves.0.placement: 'a' ranks what a caller gives",
        ),
        (
            "{placements: {a: {}}, pages: {home: {shelves: [{placement: a}, {placement: a}]}}}",
            "pages.home.shelves.1.placement: 'a' stands on the page already",
        ),
        (
            "{placements: {a: {}}, "
            "pages: {home: {shelves: [{placement: a, size: 2, at_least: 3}]}}}",
            "at_least: is above size",
        ),
        (
            "experiments: [{key: e, targeting: {placements: [x]}, arms: [{key: a}, {key: b}]}]",
            "experiments.0.targeting.placements: no placement 'x' is declared",
        ),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(RulesError, match=r"rules\.yaml") as caught:
        read_rules(path)
    assert named in str(caught.value)


def test_an_arm_must_fit_upon_the_rules_of_each_placement() -> None:
    pin = {"item_id": "a", "position": 1, "reason": "x"}
    other = {"item_id": "b", "position": 1, "reason": "x"}
    declared: dict[str, Any] = {
        "pins": [pin],
        "placements": {"home": {"rules": {"diversity": {"max_same": 2}}}},
        "experiments": [
            {"key": "e", "arms": [{"key": "a"}, {"key": "b", "rules": {"pins": [other]}}]}
        ],
    }  # fmt: skip
    Rules.model_validate(declared)  # a list of an arm takes the place of the shop's
    declared["experiments"][0]["arms"][1]["rules"] = {"pins": [pin, other]}
    with pytest.raises(ValueError, match=r"experiments\.0\.arms\.1\.rules.*two pins"):
        Rules.model_validate(declared)


def test_a_placement_changes_what_it_names_and_nothing_else() -> None:
    rules = Rules.model_validate(
        {
            "diversity": {"max_same": 2, "window": 4},
            "synonyms": [["a", "b"]],
            "placements": {"home": {"rules": {"diversity": {"max_same": 1}}}},
        }
    )
    placed = rules.placed("home")
    assert (placed.diversity.max_same, placed.diversity.window) == (1, 4)
    assert placed.synonyms == rules.synonyms
    assert rules.diversity.max_same == 2


def test_an_arm_is_laid_upon_the_placement_and_gives_its_version_before_the_placement() -> None:
    rules = Rules.model_validate(
        {
            "placements": {"home": {"ranker": "8", "rules": {"fatigue": {"strength": 1}}}},
            "experiments": [
                {
                    "key": "e", "status": "running", "targeting": {"placements": ["home"]},
                    "arms": [
                        {"key": "old"},
                        {"key": "new", "model_version": "9", "rules": {"diversity": {"depth": 0}}},
                    ],
                }
            ],
        }
    )  # fmt: skip
    there = Assigner(rules.placed("home"), "default", ranker="8")
    home, cart = Asked("recommend", placement="home"), Asked("recommend", placement="cart")
    found = [there.assign(Unit("user", f"u{n}"), home) for n in range(40)]
    by_arm = {each.exposures[0].variant: each for each in found}
    assert {arm: each.model_version for arm, each in by_arm.items()} == {"old": "8", "new": "9"}
    assert (by_arm["new"].rules.fatigue.strength, by_arm["new"].rules.diversity.depth) == (1, 0)
    assert by_arm["old"].rules.diversity.depth == 20
    elsewhere = there.assign(Unit("user", "u1"), cart)
    assert (elsewhere.exposures, elsewhere.model_version) == ((), "8")
    assert rules.ranker_versions == ["8", "9"]


def test_an_experiment_without_placements_is_drawn_by_what_it_was_before_there_were_any() -> None:
    everywhere = {"key": "e", "arms": HALF}
    aimed = {"key": "f", "arms": HALF, "targeting": {"placements": ["home"]}}
    rules = Rules.model_validate({"placements": {"home": {}}, "experiments": [everywhere, aimed]})
    drawn = [drawn_by(each)["targeting"] for each in rules.experiments]
    assert "placements" not in drawn[0]
    assert drawn[1]["placements"] == ["home"]


def test_an_objective_is_the_shop_s_but_for_what_the_placement_names() -> None:
    shops = Objective(click=2, purchase=7)
    cart = Placement.model_validate({"objective": {"click": 0, "long_view": {"weight": 1}}})
    upon = cart.objective_upon(shops)
    assert (upon.click, upon.purchase, upon.long_view.weight) == (0, 7, 1)
    assert upon.long_view.at_least_s == 30
    assert Placement().objective_upon(shops) is shops


def test_filters_that_name_nothing_are_none() -> None:
    assert Placement().candidates.filters.filters is None
    named = Placement.model_validate({"candidates": {"filters": {"brand": ["A"]}}})
    found = named.candidates.filters.filters
    assert found is not None
    assert (found.brands, found.available, found.bought_within_s) == (("A",), True, None)
