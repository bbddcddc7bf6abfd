"""Target policies, their propensities, and the model of what an item earns."""

from itertools import permutations

import numpy as np
import pytest

from serving.experiments.ope.policies import PlackettLuce
from serving.experiments.ope.reward_model import cross_fitted, fit

SCORES = np.array([[1.0, 0.2, -0.5, 0.4]])
SHOWN = np.ones((1, 4), bool)
FREE = np.zeros((1, 4), bool)
VALUES = np.array([[3.0, 1.0, 4.0, 1.5]])


def odds(temperature: float) -> np.ndarray:
    return np.asarray(np.exp(SCORES[0] / temperature))


def test_a_places_propensity_is_the_items_share_of_the_odds_that_are_left() -> None:
    told = PlackettLuce(0.7).conditional(SCORES, SHOWN, FREE, VALUES)
    left = odds(0.7)
    for place in range(4):
        share = left[place:] / left[place:].sum()
        assert told.propensity[0, place] == pytest.approx(share[0])
        assert told.expected[0, place] == pytest.approx(share @ VALUES[0, place:])


def test_marginal_propensities_are_those_of_all_orders() -> None:
    exact, values = np.zeros((4, 4)), np.zeros(4)
    for order in permutations(range(4)):
        left, probability = odds(0.7)[list(order)], 1.0
        for place in range(4):
            probability *= left[place] / left[place:].sum()
        exact[order, range(4)] += probability
        values += probability * VALUES[0, list(order)]
    told = PlackettLuce(0.7).marginal(
        SCORES, SHOWN, FREE, VALUES, np.random.default_rng(2), samples=40_000
    )
    assert told.propensity[0] == pytest.approx(np.diag(exact), abs=0.01)
    assert told.expected[0] == pytest.approx(values, abs=0.02)


@pytest.mark.parametrize("kind", ["conditional", "marginal"])
def test_without_temperature_the_order_by_score_is_certain(kind: str) -> None:
    policy = PlackettLuce(0.0)
    best = np.argsort(-SCORES)
    sorted_scores, sorted_values = SCORES[:, best[0]], VALUES[:, best[0]]
    extra = (np.random.default_rng(0),) if kind == "marginal" else ()
    told = getattr(policy, kind)(sorted_scores, SHOWN, FREE, sorted_values, *extra)
    assert told.propensity.tolist() == [[1, 1, 1, 1]]
    assert told.expected.tolist() == sorted_values.tolist()
    other = getattr(policy, kind)(sorted_scores[:, ::-1], SHOWN, FREE, VALUES, *extra)
    assert other.propensity[0, 0] == 0


@pytest.mark.parametrize("kind", ["conditional", "marginal"])
def test_what_the_rules_fixed_stays_and_is_nobodys_choice(kind: str) -> None:
    fixed = np.array([[False, True, False, False]])
    extra = (np.random.default_rng(0), 20_000) if kind == "marginal" else ()
    told = getattr(PlackettLuce(0.7), kind)(SCORES, SHOWN, fixed, VALUES, *extra)
    left = np.delete(odds(0.7), 1)
    assert told.propensity[0, 1] == 1.0
    assert told.expected[0, 1] == VALUES[0, 1]
    assert told.propensity[0, 0] == pytest.approx(left[0] / left.sum(), abs=0.015)


def test_what_was_not_drawn_stands_behind_the_sampled_places_and_could_have_been_drawn() -> None:
    """The last place of a sampled order has a conditional propensity of 1."""
    free = PlackettLuce(0.7).conditional(SCORES, SHOWN, FREE, VALUES)
    last = np.array([[False, False, False, True]])
    told = PlackettLuce(0.7).conditional(SCORES, SHOWN, last, VALUES)
    assert told.propensity == pytest.approx(free.propensity)
    assert told.expected == pytest.approx(free.expected)


def test_a_temperature_is_not_below_zero() -> None:
    with pytest.raises(ValueError, match="temperature"):
        PlackettLuce(-1.0)


def test_the_reward_model_learns_what_is_linear_and_bears_what_is_not_known() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(5_000, 3))
    reward = 1.0 + 2.0 * rows[:, 0] - rows[:, 2]
    rows[rng.random(rows.shape) < 0.1] = np.nan
    told = fit(rows, reward).predict(np.array([[1.0, 0.0, 0.0], [np.nan, np.nan, np.nan]]))
    assert told[0] == pytest.approx(3.0, abs=0.15)
    assert told[1] == pytest.approx(1.0, abs=0.3)


def test_a_shoppers_reward_is_predicted_by_a_model_that_has_not_seen_it() -> None:
    shopper = np.repeat(np.arange(50), 4)
    own = np.eye(50)[shopper]  # a column that gives each shopper away
    reward = np.random.default_rng(1).normal(size=200)
    told = cross_fitted(own, reward, shopper, penalty=1e-6)
    assert abs(np.corrcoef(told, reward)[0, 1]) < 0.3
    assert np.corrcoef(fit(own, reward, 1e-6).predict(own), reward)[0, 1] > 0.4
