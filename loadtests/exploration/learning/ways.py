"""Ways to fit the serving head on a log of which a share was explored.

Training compares what was shown with what was shown. Given that an item stands at a place, whether
it is clicked does not depend on how likely it was to stand there, so no propensity is needed; but
of what was never shown nothing is learnt. A loss over all candidates needs propensities: a click
stands for those that were not given to the others (Oosterhuis and de Rijke, 2020, "Policy-aware
unbiased learning to rank for top-k rankings"). What is logged is the probability of the item given
the places before. So each click is a choice of its own, among all candidates but those that stood
before it, and weighs 1 / (P(examined) * propensity): in expectation each of them gets what it is
worth. Inverse propensities are cut off, and divided by their mean over the explored rankings at the
same place, as SNIPS does.

The loss of training divides the gains of a slate by their sum, so that a weight says nothing where
there is one click. So choices are repeated by their weights.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from features.arrays import BoolArray, FloatArray, RowArray
from loadtests.exploration.learning.record import Logged
from loadtests.exploration.play import EXAMINED
from serving.training.data.propensities import estimate_propensities, inverse_weights
from serving.training.data.slates import offsets_of
from serving.training.fit.head import fit_head, rows_of
from serving.training.fit.network import Head


@dataclass(frozen=True, slots=True)
class Way:
    """explored, others: whether such rankings are learnt from; thinned: from as many, of both
    kinds, as there are others; by_place: clicks are weighted by the inverse of P(examined); known:
    the true one, which no shop has; by_chance: those of explored rankings also by the inverse of
    the logged propensity; unseen: the loss is over all candidates, click by click."""

    explored: bool = True
    others: bool = True
    thinned: bool = False
    by_place: bool = True
    known: bool = False
    by_chance: bool = False
    unseen: bool = False


TODAY = "all, position weights (today)"
_UNSEEN = Way(known=True, unseen=True)
_CHANCE = replace(_UNSEEN, by_chance=True)
WAYS = {
    TODAY: Way(),
    "all, no weights": Way(by_place=False),
    "not explored": Way(explored=False),
    "as many, some explored": Way(thinned=True),
    "explored": Way(others=False),
    "explored, all candidates": replace(_UNSEEN, others=False),
    "explored, propensities": replace(_CHANCE, others=False),
    "all, all candidates": _UNSEEN,
    "all, propensities": _CHANCE,
    "all, propensities, places estimated": replace(_CHANCE, known=False),
}
PAIRS = (  # what a difference between two ways stands for: that the second lacks
    (TODAY, "not explored"),
    ("as many, some explored", "not explored"),
    ("explored, propensities", "explored, all candidates"),
    ("all, propensities", "all, all candidates"),
)


def examined(log: Logged, seed: int) -> FloatArray:
    """P(examined) by position, estimated as training does."""
    shown = log.positions > 0
    return estimate_propensities(
        log.clicks[shown] > 0, log.positions[shown], log.features[shown], seed
    )


def fitted(log: Logged, way: Way, estimated: FloatArray, clip: float, seed: int) -> Head:
    """A head; estimated: what `examined` found; clip: of inverse logged propensities."""
    gains = weighted(log, way, estimated, clip)
    slates = np.flatnonzero((way.explored & log.explored) | (way.others & ~log.explored))
    if way.thinned:
        kept = int((~log.explored).sum())
        slates = np.random.default_rng(seed).permutation(slates)[:kept]
    rows, of, gains = (choices if way.unseen else rankings)(log, slates, gains)
    torch.manual_seed(seed)
    head = Head(log.features.shape[1])
    fit_head(head, log.features[rows], gains, offsets_of(np.bincount(of)), seed)
    return head


def rankings(
    log: Logged, slates: RowArray, gains: FloatArray
) -> tuple[RowArray, RowArray, FloatArray]:
    """What was shown in `slates`: rows of the log, the slate of each, and its gain."""
    rows, slate_of = rows_of(log.offsets, slates)
    shown = log.positions[rows] > 0
    return rows[shown], slate_of[shown], gains[rows[shown]]


def choices(
    log: Logged, slates: RowArray, gains: FloatArray
) -> tuple[RowArray, RowArray, FloatArray]:
    """A slate for each click of `slates`, as often as its gain says: it, and all but those before.

    Returns the same as `rankings`.
    """
    rows, slate_of = rows_of(log.offsets, slates)
    clicked = np.flatnonzero(gains[rows] > 0)
    picked = clicked[repeated(gains[rows[clicked]])]
    pick = rows[picked]
    rows, choice_of = rows_of(log.offsets, slates[slate_of[picked]])
    before = (log.positions[rows] > 0) & (log.positions[rows] < log.positions[pick][choice_of])
    rows, choice_of = rows[~before], choice_of[~before]
    return rows, choice_of, (rows == pick[choice_of]).astype(np.float32)


def weighted(log: Logged, way: Way, estimated: FloatArray, clip: float) -> FloatArray:
    """What each candidate is worth to the loss (R,): its click, by its weights."""
    gains = log.clicks.copy()
    if way.by_place:
        by_position = EXAMINED.astype(np.float32) if way.known else estimated
        gains *= inverse_weights(log.positions, log.clicks, by_position)
    if way.by_chance:
        of_explored = np.repeat(log.explored, np.diff(log.offsets)) & (log.positions > 0)
        gains *= inverse_chances(log.propensities, log.positions, of_explored, clip)
    return gains


def inverse_chances(
    propensities: FloatArray, positions: RowArray, of_explored: BoolArray, clip: float
) -> FloatArray:
    """1 / propensity, cut off, of mean 1 at each place of what was explored; 1 elsewhere. (R,)"""
    weights: FloatArray = np.ones(len(propensities), np.float32)
    places = positions[of_explored] - 1
    inverse = np.minimum(1 / propensities[of_explored], clip)
    mean = np.bincount(places, inverse) / np.maximum(np.bincount(places), 1)
    weights[of_explored] = inverse / mean[places]
    return weights


def repeated(weights: FloatArray) -> RowArray:
    """As many indices of `weights` (n,) as there are, each as often as its weight says.

    Each comes the whole number of times below its share or above it: systematic sampling.
    """
    total = np.cumsum(weights, dtype=np.float64)
    marks = (np.arange(len(weights)) + 0.5) * (total[-1] / len(weights))
    return np.asarray(np.searchsorted(total, marks), np.int64)
