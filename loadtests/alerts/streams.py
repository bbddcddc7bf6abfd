"""Counts of one label in a simulated year: seasons, growth, noise, and rises that are planted.

The rate of an hour is a curve of the day, more at the weekend than on other days, and 30 % more at
the year's end. Around it there are a factor of each day, which is like that of the day before
(AR(1), .5, deviation .08), and one of each hour (gamma, deviation .1); the count is Poisson.
"""

from dataclasses import dataclass

import numpy as np

from features.arrays import DoubleArray
from serving.shops.alerts.baseline import Window

WARM_UP_WEEKS = {Window.HOUR: 10, Window.DAY: 30}  # before the year; nothing is judged there
YEAR_DAYS = 364
MONTHS = YEAR_DAYS / 30.44
DAY_DEVIATION, DAY_MEMORY, HOUR_DEVIATION = 0.08, 0.5, 0.1
_GROWTH = 0.3
_WEEKEND = (0.9, 0.9, 0.95, 1.0, 1.05, 1.15, 1.05)  # Monday first


@dataclass(frozen=True, slots=True)
class Stream:
    """counts (n,) by window; warm_up: windows before the year; onsets: of planted rises."""

    counts: DoubleArray
    rates: DoubleArray  # (n,) without noise and rises
    warm_up: int
    onsets: list[int]


def simulated(
    window: Window,
    per_day: float,
    seed: int,
    rise: float = 0.0,
    every_days: int = 15,
    lasts_days: int = 2,
) -> Stream:
    """per_day: texts of the label, at the year's begin. rise: 0.5 = half as much again, planted
    about every `every_days` at a chance hour (of days, from midnight on) for `lasts_days`."""
    random = np.random.default_rng(seed)
    days = WARM_UP_WEEKS[window] * 7 + YEAR_DAYS
    first = WARM_UP_WEEKS[window] * 7
    hours = np.arange(days * 24)
    rates = per_day * _curve()[hours % 24] * np.array(_WEEKEND)[hours // 24 % 7]
    rates *= 1 + _GROWTH * np.maximum(hours / 24 - first, 0) / YEAR_DAYS
    noise = np.exp(_of_days(random, days))[hours // 24]
    noise *= random.gamma(HOUR_DEVIATION**-2, HOUR_DEVIATION**2, len(hours))
    lifted, onsets = np.ones(len(hours)), []
    if rise:
        for day in range(first + 8, days - lasts_days - 1, every_days):
            start = (day + int(random.integers(0, 5))) * 24
            start += int(random.integers(0, 24)) if window is Window.HOUR else 0
            lifted[start : start + lasts_days * 24] = 1 + rise
            onsets.append(start)
    counts = random.poisson(rates * noise * lifted).astype(float)
    if window is Window.HOUR:
        return Stream(counts, rates, first * 24, onsets)
    daily, usual = (each.reshape(-1, 24).sum(axis=1) for each in (counts, rates))
    return Stream(daily, usual, first, [start // 24 for start in onsets])


def _curve() -> DoubleArray:
    """Shares of a day by hour: little at night, most in the evening."""
    hours = np.arange(24)

    def peak(at: float, wide: float) -> DoubleArray:
        found: DoubleArray = np.exp(-0.5 * ((hours - at) / wide) ** 2)
        return found

    curve = 0.15 + 0.7 * peak(12, 3.5) + peak(20, 2.5)
    shares: DoubleArray = curve / curve.sum()
    return shares


def _of_days(random: np.random.Generator, days: int) -> DoubleArray:
    steps = random.normal(0, DAY_DEVIATION * np.sqrt(1 - DAY_MEMORY**2), days)
    factors = np.zeros(days)
    for day in range(1, days):
        factors[day] = DAY_MEMORY * factors[day - 1] + steps[day]
    return factors
