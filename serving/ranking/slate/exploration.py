"""What is left to chance in a slate, and the probability that is logged of it.

The logged propensity of a place is the probability that the policy, given what stands at the places
before, puts this item there. The policy is the whole of it: the coin whether a ranking is drawn,
the draws, the uplift, and the order without either. So the product over the first k places is the
probability that a ranking begins with these k items, whichever way it came about (docs/adr/0035).
"""

from typing import NamedTuple

import numpy as np

from features.arrays import DoubleArray
from serving.ranking.slate.draws import Draws
from serving.ranking.slate.moves import Notes, Order
from serving.ranking.slate.uplift import Uplift

HARDLY_SEEN = "explore: hardly seen so far"
DRAWN = "explore: drawn before better ones"


class Explored(NamedTuple):
    """An order of all candidates that are not pinned (m,), and the propensity of each place."""

    order: Order
    propensity: DoubleArray


def explore(
    usual: Order,
    lift: Uplift,
    draws: Draws | None,
    share: float,
    rng: np.random.Generator,
    notes: Notes,
) -> Explored:
    """Draws in `share` of the rankings, the uplift in the others.

    usual: the order without chance, first the items that may be drawn, then the buried ones;
    draws: None where none is drawn
    """
    if draws is not None and rng.random() < share:
        top, of_draws = draws.draw(rng)
        order = np.concatenate([top, usual[len(top) :]])
        _note(usual, order, notes)
    else:
        order, moved = lift.draw(rng)
        if moved is not None:
            notes.setdefault(moved, []).append(HARDLY_SEEN)
        if draws is None:
            return Explored(order, lift.chance(order))
        of_draws = draws.chance(order[: draws.size])
    of_draws = np.concatenate([of_draws, np.ones(len(order) - len(of_draws))])
    return Explored(order, mixed(share, of_draws, lift.chance(order)))


def mixed(share: float, first: DoubleArray, second: DoubleArray) -> DoubleArray:
    """Propensities of a policy that follows the first with probability `share`, else the second.

    Both are given for the same order, as probabilities of each place given those before (m,). The
    coin is thrown once a ranking: the places before tell what it showed. So the products are mixed,
    P(first k) = share * prod(first) + (1 - share) * prod(second), and P(k | before) is the ratio of
    two of them. In logarithms, since the product over a long slate is below what a double can hold.
    """
    with np.errstate(divide="ignore"):  # log 0: never so
        begins_so = np.logaddexp(
            np.log(share) + np.cumsum(np.log(first)), np.log1p(-share) + np.cumsum(np.log(second))
        )
    told: DoubleArray = np.minimum(np.exp(np.diff(begins_so, prepend=0.0)), 1.0)
    return told


def _note(usual: Order, order: Order, notes: Notes) -> None:
    """Say which items stand before their usual place."""
    place = np.empty(int(usual.max(initial=-1)) + 1, np.int64)
    place[usual] = np.arange(len(usual))
    for index in order[np.arange(len(order)) < place[order]].tolist():
        notes.setdefault(index, []).append(DRAWN)
