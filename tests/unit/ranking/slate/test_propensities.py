"""What is logged of chance is true, whatever rules hold beside it."""

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from loadtests.exploration.propensities import Case, Tally, cases, request, tried
from serving.ranking.slate.draws import Draws
from serving.ranking.slate.exploration import mixed
from serving.ranking.slate.places import Frame
from serving.ranking.slate.thompson import Interest, chance_to_win
from serving.shops.exploration import Sampling
from serving.shops.rules import RulesError, read_rules


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_each_place_is_filled_as_often_as_is_logged(case: Case) -> None:
    found = tried(case, range(10_000 if case.name == "drawn, else uplift" else 3_000))
    assert max(found.errors) <= 4, found
    assert found.uneven < 1e-6
    assert found.above < 1e-5
    assert found.least <= 0.5, "nothing was left to chance"


def test_the_count_finds_a_propensity_that_is_a_tenth_off() -> None:
    tally, rng = Tally(), np.random.default_rng(0)
    for _ in range(10_000):
        first = int(rng.random() < 0.5)
        propensity = np.array([0.55 if first else 0.45, 1.0], np.float32)
        tally.add(np.array([first, 1 - first]), propensity)
    assert not tally.finding(cases()[0]).true


def test_the_count_finds_a_propensity_that_depends_on_more_than_the_places_before() -> None:
    tally = Tally()
    for number in range(10_000):
        first, told = number % 2, 0.5 + 0.01 * (number % 4 == 0)
        tally.add(np.array([first, 1 - first]), np.array([told, 1.0], np.float32))
    found = tally.finding(cases()[0])
    assert found.uneven == pytest.approx(0.01)
    assert not found.true


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_request_that_is_drawn_again_is_the_request(case: Case) -> None:
    draw, rngs = request(case), [np.random.default_rng(3) for _ in range(2)]
    for _ in range(20):
        again, anew = draw(rngs[0]), request(case)(rngs[1])
        assert again.order.tolist() == anew.order.tolist()
        assert again.propensity.tolist() == anew.propensity.tolist()
        assert again.notes == anew.notes


def test_a_mixtures_propensities_multiply_to_the_mixture_of_the_products() -> None:
    drawn, usual = np.array([0.5, 0.4, 0.3]), np.array([1.0, 1.0, 0.0])
    told = mixed(0.2, drawn, usual)
    assert np.cumprod(told) == pytest.approx(0.2 * np.cumprod(drawn) + 0.8 * np.cumprod(usual))
    # The places before tell what the coin showed: mixing place by place would say .2*.4 + .8.
    assert told[1] != pytest.approx(0.2 * 0.4 + 0.8)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_coin_with_one_side_is_no_mixture(share: float) -> None:
    drawn, usual = np.array([0.5, 0.4]), np.array([1.0, 0.9])
    assert mixed(share, drawn, usual) == pytest.approx(drawn if share else usual)


def test_a_long_slates_propensities_do_not_run_out_of_digits() -> None:
    drawn = np.full(1_000, 0.1)
    assert mixed(0.5, drawn, np.zeros(1_000))[1:] == pytest.approx(0.1)


def draws(scores: list[float], **rule: Any) -> Draws:
    order = np.argsort(-np.array(scores), kind="stable")
    sampling = Sampling(share=1, **{"among": 100, **rule})
    return Draws(Frame.free(order), np.array(scores), sampling)


def test_without_rules_the_draws_are_plackett_luces() -> None:
    scores = [2.0, 1.0, 0.0]
    policy = draws(scores, temperature=1.0)
    weight = np.exp(np.array(scores) / np.std(scores))
    for order in permutations(range(3)):
        chance = policy.chance(np.array(order))
        left = weight[list(order)]
        assert chance == pytest.approx([left[0] / left.sum(), left[1] / left[1:].sum(), 1.0])


def test_what_a_draw_says_of_itself_is_what_is_said_of_its_order() -> None:
    policy = draws([3.0, 2.5, 2.0, 1.0, 0.5], first=2, places=2, among=3)
    rng = np.random.default_rng(0)
    for _ in range(50):
        order, chance = policy.draw(rng)
        assert policy.chance(order) == pytest.approx(chance)


def test_the_probabilities_of_all_orders_add_up_to_one() -> None:
    policy = draws([3.0, 2.5, 2.0, 1.0, 0.5], first=2, places=2, among=3)
    chances = [policy.chance(np.array(order)).prod() for order in permutations(range(5))]
    assert sum(chances) == pytest.approx(1.0)
    assert sum(chance > 0 for chance in chances) == 9


def test_a_low_temperature_takes_the_best() -> None:
    order, chance = draws([1.0, 3.0, 2.0], temperature=0.01).draw(np.random.default_rng(0))
    assert order.tolist() == [1, 2, 0]
    assert chance == pytest.approx(1.0)


def test_an_item_never_seen_beats_the_incumbent_as_often_as_epsilon_says() -> None:
    for taken, passed in ((0.0, 0.0), (5.0, 60.0), (40.0, 100.0)):
        for epsilon in (0.05, 0.2):
            wins = chance_to_win(
                Interest(np.zeros(1), np.zeros(1)), Interest(taken, passed), epsilon
            )
            assert wins[0] == pytest.approx(epsilon, rel=0.05)


def test_the_chance_to_win_is_that_of_thompson_sampling() -> None:
    taken, passed = np.array([0.0, 1.0, 4.0]), np.array([0.0, 10.0, 20.0])
    wins = chance_to_win(Interest(taken, passed), Interest(5.0, 60.0), 0.1)
    rng = np.random.default_rng(0)
    # The prior's mean, from what an item with no history wins alone, by the same draws.
    theirs = rng.beta(6.0, 79.0, 100_000)
    grid = np.geomspace(0.001, 0.2, 60)
    mean = grid[
        np.argmin(
            [abs((rng.beta(20 * m, 20 * (1 - m), 100_000) > theirs).mean() - 0.1) for m in grid]
        )
    ]
    drawn = rng.beta(20 * mean + taken[:, None], 20 * (1 - mean) + passed[:, None], (3, 100_000))
    best = (drawn > theirs) & (drawn == drawn.max(axis=0))
    assert wins == pytest.approx(best.mean(axis=1), abs=0.02)


def test_what_was_shown_in_vain_wins_less_than_what_was_never_shown() -> None:
    new = Interest(np.zeros(2), np.array([0.0, 30.0]))
    fresh, passed = chance_to_win(new, Interest(5.0, 60.0), 0.1)
    assert passed < fresh / 3


@pytest.mark.parametrize(
    ("exploration", "named"),
    [
        ({"sampling": {"temperature": 0}}, "exploration.sampling.temperature"),
        ({"sampling": {"share": 1.5}}, "exploration.sampling.share"),
        ({"sampling": {"among": 1}}, "exploration.sampling.among"),
        ({"sampling": {"place": 3}}, "exploration.sampling.place"),
        ({"choice": "greedy"}, "exploration.choice"),
        ({"epsilon": 0.2}, "epsilon counts only with choice: thompson"),
    ],
)
def test_a_mistake_is_told_by_the_name_of_its_field(
    exploration: dict[str, Any], named: str, tmp_path: Path
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"exploration": exploration}))
    with pytest.raises(RulesError, match=named):
        read_rules(path)
