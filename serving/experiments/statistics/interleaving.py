"""Credit of interleaved rankings: two rankers share a slate, and shoppers choose between them.

Team draft (Radlinski, Kurup, Joachims, 2008): each place belongs to the ranker that drafted its
item, and what the shopper does there is that ranker's. A shopper is compared with themselves, so
how much shoppers differ costs nothing; how large an effect is, it does not say.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from features.arrays import DoubleArray, IntArray, LongArray
from serving.experiments.statistics.sequence import ALPHA, TUNED_TO, Looks, boundary, p_value

CONTROL, TREATMENT, NEITHER = 0, 1, -1  # teams of a place; pinned items are of neither


@dataclass(frozen=True, slots=True)
class Preference:
    """Which of two rankers shoppers prefer: who gave one more credit than the other, by shopper."""

    shoppers: int  # with credit for either
    wins: int  # of treatment
    losses: int
    ties: int
    win_share: float  # of treatment, a tie is half a win
    low: float
    high: float
    p_value: float  # of the sequence when looked at daily, of the sign test when once


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
    """The preference that `credit` (n_shoppers, 2) shows; raises ValueError when none has any."""
    told = credit[np.any(credit != 0, axis=1)]
    if len(told) < 2:
        raise ValueError("credit: fewer than two shoppers did anything with an interleaved ranking")
    signs = np.sign(told[:, TREATMENT] - told[:, CONTROL])
    n, mean = len(signs), float(signs.mean())
    # Under "no preference" the mean is zero, and then this is the variance.
    variance = float(np.square(signs).mean()) / n
    wins, losses = int((signs > 0).sum()), int((signs < 0).sum())
    reach = float(boundary(float(n), alpha, looks, tuned_to)) * variance**0.5
    if wins + losses == 0:
        p = 1.0
    elif looks == "once":
        p = float(binomtest(wins, wins + losses).pvalue)
    else:
        p = float(p_value(mean, variance, float(n), alpha, looks, tuned_to))
    return Preference(
        n, wins, losses, n - wins - losses, 0.5 + mean / 2,
        max(0.5 + (mean - reach) / 2, 0.0), min(0.5 + (mean + reach) / 2, 1.0), p,
    )  # fmt: skip
