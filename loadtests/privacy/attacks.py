"""How well an attack tells two groups apart: area under its curve, and what it finds for sure."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from features.arrays import FloatArray

N_BOOTSTRAP = 500
FALSE_ALARMS = 0.01


@dataclass(frozen=True, slots=True)
class Attack:
    """`auc`: with its 95 % interval, .5 is a guess; `found`: share at 1 % alarms."""

    name: str
    auc: tuple[float, float, float]
    found: float
    members: int
    others: int


def attack(name: str, of_members: FloatArray, of_others: FloatArray, seed: int = 0) -> Attack:
    """An attack by a statistic that is larger for members: float (m,) and (n,).

    The share found is that of the members above the value that 1 % of the
    others reach (true positives at 1 % false positives; Carlini et al. 2022, "Membership Inference
    Attacks From First Principles", argue for it beside the area).
    """
    rng = np.random.default_rng(seed)
    draws = np.sort(
        [
            area(
                rng.choice(of_members, len(of_members)),
                rng.choice(of_others, len(of_others)),
            )
            for _ in range(N_BOOTSTRAP)
        ]
    )
    low, high = np.quantile(draws, [0.025, 0.975])
    bound = np.quantile(of_others, 1 - FALSE_ALARMS)
    return Attack(
        name,
        (area(of_members, of_others), float(low), float(high)),
        float((of_members > bound).mean()),
        len(of_members),
        len(of_others),
    )


def area(of_members: FloatArray, of_others: FloatArray) -> float:
    """How often a member's value is above another's, ties as half: 0 to 1."""
    ranks = rankdata(np.concatenate([of_members, of_others]))
    n = len(of_members)
    above = ranks[:n].sum() - n * (n + 1) / 2
    return float(above / (n * len(of_others)))
