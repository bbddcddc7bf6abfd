"""What is learnt from an explored log counts as its weights say, and is judged by the truth."""

from dataclasses import replace

import numpy as np
import pytest

from features.objective import USUAL
from loadtests.exploration.findings import Interval
from loadtests.exploration.learning.__main__ import pays
from loadtests.exploration.learning.judging import Compared, judge
from loadtests.exploration.learning.record import LATER_DAYS, Asked, Logged, Record, record
from loadtests.exploration.learning.ways import (
    WAYS,
    Way,
    choices,
    fitted,
    inverse_chances,
    repeated,
    weighted,
)
from loadtests.exploration.play import EXAMINED, SHOWN
from loadtests.exploration.shop import DAYS, Shop
from serving.shops.rules import Rules
from serving.training.fit.head import head_scores

_DRAWN = Rules.model_validate({"exploration": {"share": 0, "sampling": {"share": 1.0}}})
_RANKINGS, _CLIP = 6, 10.0


@pytest.fixture(scope="module")
def log() -> Record:
    return record(Shop.drawn(1, 120, _RANKINGS, USUAL), _DRAWN, 0.5, 1)


def of_slate(values: np.ndarray, logged: Logged) -> list[np.ndarray]:
    return np.split(values, logged.offsets[1:-1].tolist())


def test_the_log_says_of_each_ranking_what_stood_where_and_whether_it_was_drawn(
    log: Record,
) -> None:
    logged = log.logged
    assert len(logged.explored) == pytest.approx(_RANKINGS * (DAYS - LATER_DAYS), rel=0.3)
    assert 0.3 < logged.explored.mean() < 0.7
    for places, chances, explored in zip(
        of_slate(logged.positions, logged),
        of_slate(logged.propensities, logged),
        logged.explored.tolist(),
        strict=True,
    ):
        shown = min(SHOWN, len(places))
        assert sorted(places[places > 0].tolist()) == list(range(1, shown + 1))
        assert explored == bool((chances < 1).any())
    assert logged.clicks[logged.positions == 0].sum() == 0
    assert logged.clicks.sum() > 0


def test_exploring_costs_something_and_is_over_when_heads_are_judged(log: Record) -> None:
    assert log.cost > 0
    assert len(log.later.offsets) - 1 == pytest.approx(_RANKINGS * LATER_DAYS, rel=0.4)


def test_nothing_beats_the_truth_and_its_opposite_is_the_worst(log: Record) -> None:
    asked = log.later
    best = judge(asked.worth.astype(np.float32), asked)
    usual = judge(asked.popularity, asked)
    worst = judge(-asked.worth.astype(np.float32), asked)
    assert best.reward > usual.reward > worst.reward
    assert judge(asked.chance, asked).ndcg == pytest.approx(1.0)


def test_a_ranking_earns_what_is_examined_of_its_items() -> None:
    worth, rows = np.array([1.0, 4.0, 2.0]), np.zeros((3, 1), np.float32)
    scores = np.array([3, 1, 2], np.float32)
    asked = Asked(rows, np.array([0, 3]), worth.astype(np.float32), worth, scores)
    expected = 1 * EXAMINED[0] + 2 * EXAMINED[1] + 4 * EXAMINED[2]
    assert judge(scores, asked).reward == pytest.approx(expected)


def test_inverse_propensities_are_cut_off_and_one_on_average_at_each_place() -> None:
    propensities = np.array([0.5, 0.01, 0.25, 0.5, 1.0], np.float32)
    positions, explored = np.array([1, 1, 2, 2, 1]), np.array([True] * 4 + [False])
    weights = inverse_chances(propensities, positions, explored, clip=10)
    assert weights == pytest.approx([2 / 6, 10 / 6, 4 / 3, 2 / 3, 1])


def test_a_choice_is_repeated_as_often_as_its_weight_says() -> None:
    weights = np.random.default_rng(0).exponential(1, 200).astype(np.float32)
    often = np.bincount(repeated(weights), minlength=200)
    assert often.sum() == 200
    assert (np.abs(often - 200 * weights / weights.sum()) < 1).all()


def test_each_click_is_chosen_among_all_candidates_but_those_before_it(log: Record) -> None:
    logged = log.logged
    slates = np.flatnonzero(np.add.reduceat(logged.clicks, logged.offsets[:-1]) > 0)
    rows, choice_of, gains = choices(logged, slates, logged.clicks)
    slate_of = np.repeat(np.arange(len(logged.explored)), np.diff(logged.offsets))
    clicked = rows[gains > 0]
    assert sorted(clicked.tolist()) == np.flatnonzero(logged.clicks).tolist()
    for choice, click in enumerate(clicked.tolist()):
        among = set(rows[choice_of == choice].tolist())
        candidates = set(np.flatnonzero(slate_of == slate_of[click]).tolist())
        left_out = logged.positions[sorted(candidates - among)]
        assert sorted(left_out.tolist()) == list(range(1, int(logged.positions[click])))


def test_by_propensities_every_candidate_gets_what_it_is_worth_whoever_was_shown() -> None:
    """Three items of one request, drawn without replacement for two places, all examined."""
    rng, n = np.random.default_rng(0), 60_000
    weights, worth = np.array([8.0, 2.0, 1.0]), np.array([0.2, 0.8, 0.5])
    first = rng.choice(3, n, p=weights / weights.sum())
    rest = np.where(np.arange(3) == first[:, None], 0, weights)
    chances = rest / rest.sum(axis=1, keepdims=True)
    second = (rng.random((n, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)
    positions, propensities = np.zeros((n, 3), np.int64), np.ones((n, 3), np.float32)
    every = np.arange(n)
    positions[every, first], positions[every, second] = 1, 2
    propensities[every, first] = (weights / weights.sum())[first]
    propensities[every, second] = chances[every, second]
    clicks = ((positions > 0) & (rng.random((n, 3)) < worth)).astype(np.float32)
    logged = Logged(
        np.zeros((3 * n, 1), np.float32), np.arange(0, 3 * n + 1, 3), positions.ravel(),
        propensities.ravel(), clicks.ravel(), np.ones(n, bool),
    )  # fmt: skip
    way = Way(by_place=False, by_chance=True)
    gains = weighted(logged, way, np.ones(2, np.float32), clip=100)
    rows, choice_of, chosen = choices(logged, every, gains)
    item, place = (rows % 3)[chosen > 0], positions.ravel()[rows[chosen > 0]]
    at_first = np.bincount(item[place == 1]) / (place == 1).sum()
    assert at_first == pytest.approx(worth / worth.sum(), abs=0.02)
    # At the second place the first item is gone: where that is 0, it is between 1 and 2.
    left = item[(place == 2) & (np.bincount(choice_of, rows % 3 == 0) == 0)]
    assert (left == 1).mean() == pytest.approx(worth[1] / worth[1:].sum(), abs=0.05)


def test_a_click_weighs_more_the_less_it_was_to_be_expected_there(log: Record) -> None:
    logged, known = log.logged, Way(known=True, by_chance=True)
    estimated = np.ones(SHOWN, np.float32)
    clicked = logged.clicks > 0
    assert weighted(logged, Way(by_place=False), estimated, _CLIP)[clicked].tolist() == [1.0] * int(
        clicked.sum()
    )
    by_place = weighted(logged, Way(known=True), estimated, _CLIP)[clicked]
    assert by_place == pytest.approx(1 / EXAMINED[logged.positions[clicked] - 1])
    explored = np.repeat(logged.explored, np.diff(logged.offsets))[clicked]
    by_chance = weighted(logged, known, estimated, _CLIP)[clicked] / by_place
    assert by_chance[~explored] == pytest.approx(1.0)
    first = explored & (logged.positions[clicked] == 1)
    order = np.argsort(logged.propensities[clicked][first], kind="stable")
    assert (np.diff(by_chance[first][order]) <= 1e-6).all()


def test_a_way_learns_from_the_rankings_that_it_names_alone(log: Record) -> None:
    """The clicks of all others may be moved about: the same head comes of it."""
    logged, places = log.logged, np.ones(SHOWN, np.float32)
    of_explored = np.repeat(logged.explored, np.diff(logged.offsets))
    without = replace(logged, clicks=np.where(of_explored, 0, logged.clicks).astype(np.float32))
    scores = {
        (name, way): head_scores(
            fitted(clicks, way, places, _CLIP, 1), log.later.features
        ).tolist()
        for name, clicks in (("all", logged), ("without", without))
        for way in (Way(explored=False), Way())
    }  # fmt: skip
    assert scores["all", Way(explored=False)] == scores["without", Way(explored=False)]
    assert scores["all", Way()] != scores["without", Way()]


def test_logged_propensities_pay_only_where_a_way_by_them_is_surely_better() -> None:
    sure, unsure = Interval(2, 1, 3), Interval(2, -1, 5)
    found = {
        name: Compared(sure if not way.by_chance else unsure, sure) for name, way in WAYS.items()
    }
    assert not pays(found)
    assert pays({**found, "all, propensities": Compared(sure, unsure)})
