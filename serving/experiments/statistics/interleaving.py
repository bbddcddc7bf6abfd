"""Credit of interleaved rankings: two rankers share a slate, and shoppers choose between them.

Team draft (Radlinski, Kurup, Joachims, 2008): each place belongs to the ranker that drafted its
item, and what the shopper does there is that ranker's. A shopper is compared with themselves, so
how much shoppers differ costs nothing; how large an effect is, it does not say.
"""

from dataclasses import dataclass

import numpy as np

from features.arrays import DoubleArray, IntArray, LongArray
from serving.experiments.statistics.samples import linearised, sample_of
from serving.experiments.statistics.sequence import ALPHA, TUNED_TO, Looks, boundary, p_value

CONTROL, TREATMENT, NEITHER = 0, 1, -1  # teams of a place; pinned items are of neither


@dataclass(frozen=True, slots=True)
class Preference:
    """Which of two rankers shoppers prefer."""

    shoppers: int  # with credit for either
    wins: int  # shoppers who gave treatment more credit
    losses: int
    ties: int
    share: float  # of the credit that went to treatment, .5 = no preference
    low: float
    high: float
    p_value: float  # of the share, against .5

    @property
    def win_share(self) -> float:
        """Of the shoppers; a tie is half a win."""
        return (self.wins + self.ties / 2) / self.shoppers


def credits(shoppers: LongArray, teams: IntArray, reward: DoubleArray) -> DoubleArray:
    """Credit by shopper and team, (n_shoppers, 2).

    shoppers, teams, reward: (m,), one a place that was shown; shoppers are numbered from 0.
    """
    if not set(np.unique(teams).tolist()) <= {CONTROL, TREATMENT, NEITHER}:
        raise ValueError(f"teams: 0, 1 or -1, not {np.unique(teams).tolist()}")
    n = int(shoppers.max(initial=-1)) + 1
    columns = [
        np.bincount(shoppers, np.where(teams == team, reward, 0.0), minlength=n)
        for team in (CONTROL, TREATMENT)
    ]
    return np.stack(columns, axis=1)


def preference(
    credit: DoubleArray,
    alpha: float = ALPHA,
    looks: Looks = "daily",
    tuned_to: float = TUNED_TO,
) -> Preference:
    """The preference that `credit` (n_shoppers, 2) shows; raises ValueError when none has any.

    The share of credit is a ratio over shoppers (delta method). A shopper weighs by the root of
    what they did: one who clicks a hundred times as much as another counts ten times, not a
    hundred. Counting each once, by who won them, finds the same with more shoppers.
    """
    told = credit[np.any(credit != 0, axis=1)]
    if len(told) < 2:
        raise ValueError("credit: fewer than two shoppers did anything with an interleaved ranking")
    if (told < 0).any():
        raise ValueError("credit: a reward below zero cannot be shared out")
    total = told.sum(axis=1)
    sample = sample_of(linearised(told[:, TREATMENT] / np.sqrt(total), np.sqrt(total)))
    n, share, variance = len(told), float(sample.mean), float(sample.variance) / len(told)
    reach = float(boundary(float(n), alpha, looks, tuned_to)) * variance**0.5
    p = 1.0
    if share != 0.5:
        p = 0.0
        if variance > 0:
            p = float(p_value(share - 0.5, variance, float(n), alpha, looks, tuned_to))
    signs = np.sign(told[:, TREATMENT] - told[:, CONTROL])
    wins, losses = int((signs > 0).sum()), int((signs < 0).sum())
    return Preference(
        n, wins, losses, n - wins - losses, share,
        max(share - reach, 0.0), min(share + reach, 1.0), p,
    )  # fmt: skip
