"""Contextual bandits over a handful of policies, in a few lines.

A shop has several ways to rank (named weights, rule sets), and which is best depends on the page
and on who asks. A bandit learns it from the reward of what it chose. What it chooses is drawn from
chances that it works out first, so the logged propensity is exact.
"""

from typing import Protocol

import numpy as np
from scipy.special import ndtr

from features.arrays import DoubleArray

_GRID = np.linspace(-5, 5, 81)  # standard deviations around the means


class Bandit(Protocol):
    """Chooses among policies."""

    def chances(self, context: DoubleArray) -> DoubleArray:
        """The probability of each policy for a request (d,); they add up to 1."""
        ...

    def learn(self, chosen: int, context: DoubleArray, reward: float) -> None:
        """What came of a choice."""
        ...


class Linear:
    """The reward of one policy, linear in the context: Bayesian regression with a normal prior.

    noise: standard deviation of a reward; prior: of each weight
    """

    def __init__(self, size: int, noise: float, prior: float) -> None:
        self._noise = noise
        self._covariance = np.eye(size) * prior**2
        self._weighted = np.zeros(size)  # sum of reward * context, over the noise's variance

    def predicted(self, context: DoubleArray) -> tuple[float, float]:
        """Mean of the reward, and the standard deviation of this mean."""
        spread = self._covariance @ context
        return float(self._weighted @ spread), float(context @ spread) ** 0.5

    def learn(self, context: DoubleArray, reward: float) -> None:
        """By the formula of Sherman and Morrison."""
        spread = self._covariance @ context
        self._covariance -= np.outer(spread, spread) / (self._noise**2 + context @ spread)
        self._weighted += reward * context / self._noise**2


class LinearThompson:
    """Each policy as often as it is the best, as far as is known (Agrawal and Goyal, ICML 2013).

    `floor`: the least chance of a policy, so that every one can be evaluated off-policy.
    """

    def __init__(
        self, policies: int, size: int, noise: float, prior: float = 3.0, floor: float = 0.01
    ) -> None:
        self._models = [Linear(size, noise, prior) for _ in range(policies)]
        self._floor = floor

    def chances(self, context: DoubleArray) -> DoubleArray:
        """See Bandit."""
        mean, spread = np.array([model.predicted(context) for model in self._models]).T
        grid = np.sort((mean[:, None] + np.maximum(spread, 1e-9)[:, None] * _GRID).ravel())
        below = ndtr((grid - mean[:, None]) / np.maximum(spread, 1e-9)[:, None])
        logs = np.log(np.maximum((below[:, 1:] + below[:, :-1]) / 2, 1e-300))
        wins = (np.diff(below) * np.exp(logs.sum(axis=0) - logs)).sum(axis=1)
        share: DoubleArray = wins / wins.sum()
        return self._floor + (1 - len(share) * self._floor) * share

    def learn(self, chosen: int, context: DoubleArray, reward: float) -> None:
        """See Bandit."""
        self._models[chosen].learn(context, reward)


class EpsilonGreedy:
    """The best as far as is known, and in `epsilon` of the requests any."""

    def __init__(
        self, policies: int, size: int, noise: float, prior: float = 3.0, epsilon: float = 0.1
    ) -> None:
        self._models = [Linear(size, noise, prior) for _ in range(policies)]
        self._epsilon = epsilon

    def chances(self, context: DoubleArray) -> DoubleArray:
        """See Bandit."""
        best = int(np.argmax([model.predicted(context)[0] for model in self._models]))
        share = np.full(len(self._models), self._epsilon / len(self._models))
        share[best] += 1 - self._epsilon
        return share

    def learn(self, chosen: int, context: DoubleArray, reward: float) -> None:
        """See Bandit."""
        self._models[chosen].learn(context, reward)


class Evenly:
    """Every policy as often."""

    def __init__(self, policies: int) -> None:
        self._chances = np.full(policies, 1 / policies)

    def chances(self, context: DoubleArray) -> DoubleArray:
        """See Bandit."""
        return self._chances

    def learn(self, chosen: int, context: DoubleArray, reward: float) -> None:
        """It does not."""
