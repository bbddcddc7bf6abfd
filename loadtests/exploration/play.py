"""Thirty days of the simulated shop under one policy of exploration."""

from dataclasses import dataclass, field

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from features.behavior.matrix import COLUMN, FEATURE_NAMES
from features.datasets.simulated.truth import examination
from loadtests.exploration.learner import Learner, Ranker
from loadtests.exploration.shop import BEST, DAYS, WARM_UP_DAYS, Requests, Shop
from serving.ranking.request import Context
from serving.ranking.slate.policy import Ordered, SlatePolicy
from serving.ranking.values import Candidates, FeatureMatrix
from serving.shops.rules import Rules

SHOWN = 10
_COMPARED = 4  # every so many rankings are also ordered without chance, to see what that costs
EXAMINED = examination(np.arange(1, SHOWN + 1))
_TAKEN = COLUMN["item_interest_30d"]


@dataclass(slots=True)
class Course:
    """Of one shop under one policy.

    reward: mean of a ranking, by the truth, by day; cost: what the order without chance, from the
    same knowledge, would have earned more, by day; found: new items that deserve it and that the
    shop took for among the best of their type; at_risk: item-days before they were found, or until
    the end; deserving: new items that do
    """

    reward: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    found: int = 0
    at_risk: int = 0
    deserving: int = 0


def warmed_up(shop: Shop, ranker: Ranker, seed: int) -> Learner:
    """What is known after the first days, without exploration."""
    learner = Learner.new(ranker, len(shop.table))
    usual = Player(shop, learner, without_chance(), seed)
    for day in range(WARM_UP_DAYS):
        usual.day(day)
    return learner


def without_chance() -> Rules:
    """A shop's rules without exploration."""
    return Rules.model_validate({"exploration": {"share": 0}})


def play(shop: Shop, learner: Learner, rules: Rules, seed: int) -> Course:
    """The days after the first ones; `learner` is left as it is."""
    player, course = Player(shop, learner.copy(), rules, seed), Course()
    launched = (shop.launch_day >= WARM_UP_DAYS) & shop.deserving
    found = np.zeros(len(launched), bool)
    for day in range(WARM_UP_DAYS, WARM_UP_DAYS + DAYS):
        reward, cost = player.day(day)
        course.reward.append(reward)
        course.cost.append(cost)
        there = launched & (shop.launch_day < day)
        course.at_risk += int((there & ~found).sum())
        found |= there & player.first_of_type(day)
    course.found = int(found.sum())
    course.deserving = int((launched & (shop.launch_day < WARM_UP_DAYS + DAYS - 1)).sum())
    return course


class Player:
    """Orders what is asked of a shop, lets its shoppers answer, and learns from that.

    rules: of `day`; `learner` changes
    """

    def __init__(self, shop: Shop, learner: Learner, rules: Rules, seed: int) -> None:
        self._shop, self._learner, self._rules = shop, learner, rules
        self._usual = without_chance()
        self._compares = rules != self._usual
        self._policy = SlatePolicy(np.random.default_rng(seed))
        self._rng = np.random.default_rng((seed, 1))  # of the shoppers, whatever the policy draws
        self._ids = np.array(shop.table.item_ids, dtype=object)

    def day(self, day: int) -> tuple[float, float]:
        """Mean reward of a ranking, and what chance cost of it."""
        rewards, costs = [], []
        for requests in self._shop.day(day):
            for number in range(len(requests.needed)):
                shown = self.order(requests, number, self._rules).order
                earned = float(EXAMINED[: len(shown)] @ requests.worth[number, shown])
                rewards.append(earned)
                if self._compares and number % _COMPARED == 0:
                    usual = self.order(requests, number, self._usual).order
                    costs.append(
                        float(EXAMINED[: len(usual)] @ requests.worth[number, usual]) - earned
                    )
                self.answer(requests, number, shown)
        self._learner.fade()
        return float(np.mean(rewards)), float(np.mean(costs)) if costs else 0.0

    def first_of_type(self, day: int) -> BoolArray:
        """Which items the shop takes for the best of their type (n_items,)."""
        first = np.zeros(len(self._shop.table), bool)
        kinds, there = self._shop.latents.type, self._shop.launch_day < day
        for kind in np.unique(kinds):
            members = np.flatnonzero((kinds == kind) & there)
            best = np.argsort(-self._learner.appeal(members), kind="stable")[:BEST]
            first[members[best]] = True
        return first

    def order(self, requests: Requests, number: int, rules: Rules) -> Ordered:
        """What is shown of `requests.items`, and its propensities."""
        items, learner = requests.items, self._learner
        values = np.full((len(items), len(FEATURE_NAMES)), np.nan, np.float32)
        values[:, _TAKEN] = np.log1p(learner.taken[items])
        table = self._shop.table
        features = FeatureMatrix(
            items, values, table.category[items], table.brand[items],
            (learner.taken[items] + learner.passed[items]).astype(np.float32),
        )  # fmt: skip
        offered = Candidates(
            self._ids[items].tolist(), items, np.full(len(items), np.nan, np.float32)
        )
        context = Context("simulated", 0.0, 0.0, limit=SHOWN)
        scores = learner.scores(items, requests.needed[number])
        return self._policy.order(table, rules, context, offered, features, scores)

    def answer(self, requests: Requests, number: int, shown: LongArray) -> BoolArray:
        """Clicks by the position-based model. As many throws for every policy."""
        examined: DoubleArray = self._rng.random(SHOWN)[: len(shown)]
        wanted = self._rng.random(SHOWN)[: len(shown)]
        propensity = EXAMINED[: len(shown)]
        clicked: BoolArray = (examined < propensity) & (wanted < requests.chance[number, shown])
        self._learner.learn(
            requests.items[shown],
            requests.needed[number, shown],
            propensity,
            clicked.astype(np.float64),
        )
        return clicked
