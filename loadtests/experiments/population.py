"""Simulated shoppers: how often they come differs a lot, and lasts; what they do then is chance.

Visits follow the NBD model of repeat buying (Ehrenberg, 1959): Poisson, with a rate that differs
between shoppers by a gamma distribution. A visit brings clicks, and now and then carts and
purchases. A shopper who was there before exposure has the same rate there, but for a drift; a share
of shoppers is new and has no past. When all come more or less often, the calendar says.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from features.objective import USUAL, Objective
from loadtests.experiments.calendar import EVEN, Calendar

Rng = np.random.Generator
PAST_DAYS = 14


@dataclass(frozen=True, slots=True)
class Population:
    """What shoppers are like; rates are a day's.

    Set so that the past says of a shopper about what it says of real households
    (loadtests/experiments/real_past.py): 58 % of those have one, which explains a third.
    """

    visits: float = 0.3  # of a mean shopper
    shape: float = 0.8  # of the gamma: the smaller, the more shoppers differ
    drift: float = 0.25  # standard deviation of the log of a rate's change since the past
    new: float = 0.4  # share without a past
    clicks: float = 1.5  # a visit
    cart: float = 0.12  # chance of one, a visit
    purchase: float = 0.05
    objective: Objective = USUAL  # what these are worth; a purchase is of one unit of money
    calendar: Calendar = EVEN


class Shoppers(NamedTuple):
    """Arrays of one shape, (experiments, n)."""

    arm: BoolArray  # in treatment
    day: DoubleArray  # of exposure, from 0, ascending
    rate: DoubleArray  # visits a day
    past: DoubleArray  # reward in the days before exposure; NaN for a new shopper


def shoppers(population: Population, shape: tuple[int, int], days: int, rng: Rng) -> Shoppers:
    """Draw shoppers (experiments, n), who come within `days`, half in each arm."""
    calendar = population.calendar
    came = calendar.arrivals(shape[1], days)
    before = calendar.until(came) - calendar.until(came - PAST_DAYS)
    rate = population.visits * rng.gamma(population.shape, 1 / population.shape, shape)
    noise = rng.normal(-(population.drift**2) / 2, population.drift, shape)
    past = reward(population, rate * np.exp(noise) * before, rng)
    past[rng.random(shape) < population.new] = np.nan
    return Shoppers(rng.random(shape) < 0.5, np.broadcast_to(came, shape), rate, past)


def rewards(
    population: Population, of: Shoppers, looks: LongArray, lift: float, rng: Rng
) -> DoubleArray:
    """Reward between looks (experiments, n, looks), zero before exposure.

    looks: after how many days, ascending. lift: how much more treatment's shoppers do, .05 = 5 %,
    in each of click, cart and purchase.
    """
    ends = population.calendar.until(looks)
    since = np.maximum(ends - population.calendar.until(of.day)[..., None], 0)
    days = np.diff(since, axis=2, prepend=0)
    return reward(population, (of.rate * (1 + lift * of.arm))[..., None] * days, rng)


def reward(population: Population, visits: DoubleArray, rng: Rng) -> DoubleArray:
    """Of as many visits as are expected."""
    came = rng.poisson(visits)
    worth = population.objective
    out: DoubleArray = worth.click * rng.poisson(population.clicks * came).astype(np.float64)
    some = came > 0
    out[some] += worth.add_to_cart * rng.binomial(came[some], population.cart)
    out[some] += worth.purchase * rng.binomial(came[some], population.purchase)
    return out
