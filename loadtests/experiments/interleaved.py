"""Two rankers compared by A/B and by interleaving, with the same shoppers, clicks and positions.

A visit shows ten of thirty candidates. A shopper examines place k with probability k**-bias
(position-based model, Richardson et al., 2007) and clicks what they examine with a probability that
grows with its relevance. Rankers know the relevance up to noise; the better one has less.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray, IntArray, LongArray
from serving.experiments.statistics.comparison import compare
from serving.experiments.statistics.interleaving import CONTROL, TREATMENT, credits, preference
from serving.experiments.statistics.samples import sample_of

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Shop:
    """How shoppers and rankers are."""

    candidates: int = 30
    places: int = 10
    bias: float = 1.0
    noise: tuple[float, float] = (1.0, 0.8)  # of control's and treatment's scores
    visits: float = 3.0  # of a mean shopper in the time of the experiment
    shape: float = 0.8  # of the gamma of visits
    click: float = 0.25  # chance at the first place, at mean relevance


class Visits(NamedTuple):
    """m visits: whose they are, relevance (m, candidates) and both rankers' orders."""

    shopper: LongArray
    relevance: DoubleArray
    orders: tuple[LongArray, LongArray]


def visits(shop: Shop, n: int, rng: Rng) -> Visits:
    """The visits of `n` shoppers."""
    rate = shop.visits * rng.gamma(shop.shape, 1 / shop.shape, n)
    shopper = np.repeat(np.arange(n), rng.poisson(rate))
    relevance = rng.normal(size=(len(shopper), shop.candidates))
    orders = [
        np.argsort(-(relevance + noise * rng.normal(size=relevance.shape)), axis=1)
        for noise in shop.noise
    ]
    return Visits(shopper, relevance, (orders[0], orders[1]))


def clicks(shop: Shop, relevance: DoubleArray, shown: LongArray, rng: Rng) -> BoolArray:
    """Which of the items `shown` (m, places) are clicked."""
    clicked: BoolArray = rng.random(shown.shape) < click_chances(shop, relevance, shown)
    return clicked


def click_chances(shop: Shop, relevance: DoubleArray, shown: LongArray) -> DoubleArray:
    """The probability of a click on each of the items `shown` (m, places)."""
    examined = np.arange(1, shop.places + 1) ** -shop.bias
    # Logistic in relevance, at .25 where it is zero.
    attraction = 1 / (1 + (1 / shop.click - 1) * np.exp(-np.take_along_axis(relevance, shown, 1)))
    chances: DoubleArray = examined * attraction
    return chances


def team_draft(
    orders: tuple[LongArray, LongArray], places: int, rng: Rng
) -> tuple[LongArray, IntArray]:
    """Items (m, places) and the team of each: in pairs of places, a coin says who drafts first."""
    m, candidates = orders[0].shape
    rows = np.arange(m)
    taken = np.zeros((m, candidates), bool)
    items = np.zeros((m, places), np.int64)
    teams = np.zeros((m, places), np.int32)
    for place in range(places):
        if place % 2 == 0:
            first = rng.integers(0, 2, m)
        team = first if place % 2 == 0 else 1 - first
        order = np.where((team == CONTROL)[:, None], orders[0], orders[1])
        free = ~np.take_along_axis(taken, order, axis=1)
        item = order[rows, np.argmax(free, axis=1)]
        taken[rows, item] = True
        items[:, place], teams[:, place] = item, team
    return items, teams


class Found(NamedTuple):
    """Of runs: how many found treatment better, and how many control."""

    runs: int
    right: int
    wrong: int


def by_ab(shop: Shop, n: int, runs: int, rng: Rng) -> Found:
    """A/B: each shopper has one ranker; clicks a shopper are compared."""
    right = wrong = 0
    for _ in range(runs):
        control, treatment = clicks_by_arm(shop, n, rng)
        told = compare(sample_of(control), sample_of(treatment))
        right += bool(told.low > 0)
        wrong += bool(told.high < 0)
    return Found(runs, right, wrong)


def clicks_by_arm(shop: Shop, n: int, rng: Rng) -> tuple[DoubleArray, DoubleArray]:
    """Clicks of each shopper of control and of treatment, half of `n` each."""
    out = []
    for ranker in (CONTROL, TREATMENT):
        seen = visits(shop, n // 2, rng)
        shown = seen.orders[ranker][:, : shop.places]
        clicked = clicks(shop, seen.relevance, shown, rng).sum(axis=1)
        out.append(np.bincount(seen.shopper, clicked, minlength=n // 2).astype(np.float64))
    return out[0], out[1]


def by_interleaving(shop: Shop, n: int, runs: int, rng: Rng) -> Found:
    """Interleaving: each shopper has both; the credit of clicks is compared."""
    right = wrong = 0
    for _ in range(runs):
        seen = visits(shop, n, rng)
        items, teams = team_draft(seen.orders, shop.places, rng)
        clicked = clicks(shop, seen.relevance, items, rng)
        owner = np.repeat(seen.shopper, shop.places)
        told = preference(credits(owner, teams.ravel(), clicked.ravel().astype(np.float64)))
        right += told.low > 0.5
        wrong += told.high < 0.5
    return Found(runs, right, wrong)


def without_difference(shop: Shop) -> Shop:
    """The same shop with two equally good rankers."""
    return replace(shop, noise=(shop.noise[0], shop.noise[0]))
