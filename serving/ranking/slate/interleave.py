"""Team-draft interleaving: two orders as one slate, and whose pick each item is.

In each round of two places a coin says which team picks first; each takes its best item that is
left. The team whose items get more clicks has the better order, as soon as with a hundredth of the
shoppers that an A/B test needs (Radlinski et al., CIKM 2008; Chapelle et al., TOIS 2012).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray
from serving.ranking.slate.moves import Order
from serving.ranking.slate.places import Frame, Places

NO_TEAM = -1  # of what a rule put there: a pin, a bury
Teams = npt.NDArray[np.int8]


class Drafted(NamedTuple):
    """order: (n,); team: int8 (n,), 0 the first order's pick, 1 the second's; propensity: (n,), of
    each place given those before."""

    order: Order
    team: Teams
    propensity: DoubleArray


def team_draft(
    first: Order, second: Order, rng: np.random.Generator, frame: Frame | None = None
) -> Drafted:
    """Two orders (n,) of the same items as one. frame: the rules that every pick keeps.

    Raises ValueError when the orders are not of the same items.
    """
    if sorted(first.tolist()) != sorted(second.tolist()):
        raise ValueError("team draft: the two orders must hold the same items")
    places = Places(frame or Frame.free(first))
    left = (first.tolist(), second.tolist())
    order: list[int] = []
    teams: list[int] = []
    chance: list[float] = []
    starts = rng.integers(0, 2, (len(first) + 1) // 2).tolist()
    told = False  # whether the first place of the round told who began
    while left[0]:
        begins = len(order) % 2 == 0
        team = starts[len(order) // 2] if begins else 1 - starts[len(order) // 2]
        picks = [places.allowed(ranked)[0] for ranked in left]
        differ = picks[0] != picks[1]
        chance.append(0.5 if differ and (begins or not told) else 1.0)
        told = begins and differ
        picked = picks[team]
        for ranked in left:
            ranked.remove(picked)
        places.put(picked)
        order.append(picked)
        teams.append(team)
    return Drafted(np.array(order, np.int64), np.array(teams, np.int8), np.array(chance))
