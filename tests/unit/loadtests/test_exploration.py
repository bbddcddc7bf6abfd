"""The simulated shop answers what it is shown, and its comparisons can come out either way."""

import numpy as np
import pytest

from features.objective import USUAL, LongView, Objective
from loadtests.exploration.bandit import EpsilonGreedy, Evenly, LinearThompson
from loadtests.exploration.bandits import earned
from loadtests.exploration.choices import Choices
from loadtests.exploration.findings import finding, interval
from loadtests.exploration.learner import Learner
from loadtests.exploration.play import Course, play, without_chance
from loadtests.exploration.shop import DAYS, WARM_UP_DAYS, Shop
from loadtests.exploration.worth import Answers, Worth


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop.drawn(1, 120, 20, USUAL)


def test_an_item_is_not_asked_for_before_it_is_launched(shop: Shop) -> None:
    launched = shop.launch_day >= 0
    assert launched.any()
    assert (shop.launch_day[launched] >= WARM_UP_DAYS).all()
    for day in (0, WARM_UP_DAYS + 5):
        for requests in shop.day(day):
            assert (shop.launch_day[requests.items] < day).all()


def test_what_is_learnt_depends_on_the_clicks_that_came() -> None:
    items, needed, examined = np.array([0, 1]), np.array([3.0, 3.0]), np.array([1.0, 1.0])
    for ranker in ("popularity", "click rate"):
        learner = Learner.new(ranker, 3)
        for _ in range(20):
            learner.learn(items, needed, examined, np.array([1.0, 0.0]))
        clicked, passed, unseen = learner.appeal(np.arange(3))
        assert clicked > unseen
        assert passed <= unseen


def test_the_same_seed_plays_the_same_days_and_leaves_the_knowledge_as_it_was(shop: Shop) -> None:
    learner = Learner.new("click rate", len(shop.table))
    first, again = (play(shop, learner, without_chance(), 3) for _ in range(2))
    assert first == again
    assert len(first.reward) == DAYS
    assert first.cost == [0.0] * DAYS
    assert learner.clicks.sum() == 0


def answers(long_view: bool = False, back: bool = False) -> Answers:
    """One item is clicked, one is put into the cart, one is bought."""
    yes, no = np.ones(3, bool), np.zeros(3, bool)
    last = np.array([False, False, True])
    return Answers(
        yes, yes if long_view else no, np.array([False, True, True]), last, last if back else no
    )


@pytest.mark.parametrize(
    ("objective", "given", "worth"),
    [
        (USUAL, answers(), [1, 4, 9]),
        (USUAL, answers(long_view=True, back=True), [1, 4, 9]),
        (Objective(click=2, add_to_cart=0, purchase=7), answers(), [2, 2, 9]),
        (Objective(purchase_by="value"), answers(), [1, 4, 4 + 5 * 30]),
        (Objective(returned=-4), answers(back=True), [1, 4, 5]),
        (Objective(returned=-1, purchase_by="value"), answers(back=True), [1, 4, 4 + 4 * 30]),
        (Objective(returned=-4, horizon_days=1), answers(back=True), [1, 4, 9]),
        (Objective(long_view=LongView(weight=0.5)), answers(long_view=True), [1.5, 4.5, 9.5]),
    ],
)
def test_an_answer_is_worth_what_the_objective_says(
    objective: Objective, given: Answers, worth: list[float]
) -> None:
    prices = np.array([10.0, 20.0, 30.0])
    assert Worth(objective, prices).of(given, np.arange(3)).tolist() == worth


def test_the_mean_worth_of_an_item_is_that_of_its_answers() -> None:
    objective = Objective(returned=-2, discount=0.9, long_view=LongView(weight=2, at_least_s=10))
    shop = Shop.drawn(1, 120, 20, objective)
    requests = shop.day(3)[0]
    session, items = np.array([0]), requests.items[:1]
    chance = shop.answers(session, items, requests.needed[0, :1] + 6)
    rng = np.random.default_rng(0)
    happened = Answers(*(rng.random(400_000) < part[0] for part in chance))
    sums = shop.worth.of(happened, np.repeat(items, 400_000))
    assert sums.mean() == pytest.approx(shop.worth.of(chance, items)[0], rel=0.02)


def course(reward: float, cost: float, found: int) -> Course:
    return Course([reward] * DAYS, [cost] * DAYS, found, at_risk=100, deserving=10)


def test_a_policy_pays_when_it_surely_gains_more_than_it_costs() -> None:
    rng = np.random.default_rng(0)
    without = [course(1 + noise, 0, 2) for noise in rng.normal(0, 0.01, 6)]
    good = finding("good", [course(c.reward[0] + 0.1, 0.02, 8) for c in without], without)
    assert good.pays
    assert good.twice_as_fast
    dear = finding("dear", [course(c.reward[0] + 0.1, 0.2, 3) for c in without], without)
    assert not dear.pays
    assert not dear.twice_as_fast


def test_an_interval_holds_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(0, 1, 8)) for _ in range(2_000)]
    assert np.mean([each.low <= 0 <= each.high for each in found]) == pytest.approx(0.95, abs=0.02)


def choices_where_the_best_depends_on_the_page(n: int = 3_000) -> Choices:
    rng = np.random.default_rng(0)
    page = rng.integers(0, 2, n)
    context = np.stack([np.ones(n), page == 0, page == 1], axis=1).astype(np.float64)
    worth = np.where(page[:, None] == np.array([0, 1]), 1.0, 0.5)
    return Choices(context, worth + rng.normal(0, 1, (n, 2)), worth)


def test_a_bandit_finds_what_is_best_for_each_page_and_chance_does_not() -> None:
    offered = choices_where_the_best_depends_on_the_page()
    assert earned(LinearThompson(2, 3, 1.0), offered, 0) > 0.93
    assert earned(EpsilonGreedy(2, 3, 1.0), offered, 0) > 0.9
    assert earned(Evenly(2), offered, 0) == pytest.approx(0.75, abs=0.02)


def test_a_bandits_chances_add_up_to_one_and_leave_none_out() -> None:
    bandit, rng = LinearThompson(3, 2, 1.0), np.random.default_rng(0)
    for _ in range(200):
        context = rng.random(2)
        chances = bandit.chances(context)
        assert chances.sum() == pytest.approx(1.0)
        assert chances.min() >= 0.01
        bandit.learn(int(rng.choice(3, p=chances)), context, float(rng.normal()))


def test_thompsons_chances_are_how_often_each_policy_draws_the_highest() -> None:
    bandit, rng = LinearThompson(2, 1, 1.0, prior=1.0, floor=0.0), np.random.default_rng(0)
    context = np.ones(1)
    for _ in range(3):
        bandit.learn(0, context, 1.0)
    # Means .75 and 0, variances .25 and 1.
    often = (rng.normal(0.75, 0.5, 200_000) > rng.normal(0, 1, 200_000)).mean()
    assert bandit.chances(context)[0] == pytest.approx(often, abs=0.005)
