"""Fits a model of answers: weights of the inputs, and how sure a score makes.

Few numbers, so that some dozen questions with a right answer teach them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from features.arrays import BoolArray, DoubleArray, FloatArray, LongArray
from serving.search.answers.model import INPUTS, OF_VECTOR, AnswerModel
from serving.training.fit.answers.candidates import Candidates, Seen

UNANSWERABLE = 0.2  # share of questions that nothing answers, that a shop is taken to get
PRECISION = 0.9  # of the answers that are given, the share that is to be right
_RIDGE = 1e-2
_CALIBRATION_RIDGE = 1e-3


def train(seen: Sequence[Seen]) -> AnswerModel:
    """A model, without a version, of questions as a judge sees them."""
    both = [one.both for one in seen]
    by_words = [one.by_words for one in seen]
    unsure = np.zeros((2, 3), np.float32)
    model = AnswerModel("", _weights(both), _weights(by_words, OF_VECTOR), unsure, 0.0)
    calibration = np.stack([_calibration(both, model, True), _calibration(by_words, model, False)])
    model = replace(model, calibration=calibration.astype(np.float32))
    return replace(model, least=least_for(*outcomes(both, model, UNANSWERABLE), PRECISION))


def folds(groups: LongArray, n: int, seed: int) -> LongArray:
    """A fold of each case, (cases,): those of one group have the same."""
    distinct, of = np.unique(groups, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(distinct)) % n
    return drawn[of].astype(np.int64)


def outcomes(
    seen: Sequence[Candidates], model: AnswerModel, unanswerable: float, has_vector: bool = True
) -> tuple[DoubleArray, BoolArray, DoubleArray]:
    """Confidence, rightness and weight of the first answer to each question, (n,).

    Every question that has an answer is asked twice: as it is, and as if the collection had none.
    With those that humans had to answer, nothing answers `unanswerable` of all, by weight.
    """
    firsts = _firsts(seen, model, has_vector)
    sure = np.array([
        model.confidence(scores, has_vector)[0] if len(scores) else 0.0 for scores, _, _ in firsts
    ])  # fmt: skip
    return sure, *_labels(firsts, unanswerable)


Firsts = list[tuple[DoubleArray, bool, bool]]


def _firsts(seen: Sequence[Candidates], model: AnswerModel, has_vector: bool) -> Firsts:
    """Of each question as it is asked: scores, best first; whether that one is right, and whether
    any could be."""
    firsts: Firsts = []
    for one in seen:
        if one.case.right:
            scores, right = one.answers(model, has_vector)
            firsts.append((scores, bool(right[:1].any()), True))
        if one.case.complete:
            scores, _ = one.without_right().answers(model, has_vector)
            firsts.append((scores, False, False))
    return firsts


def _labels(firsts: Firsts, unanswerable: float) -> tuple[BoolArray, DoubleArray]:
    """Rightness and weights, (n,)."""
    right = np.array([right for _, right, _ in firsts], bool)
    answerable = np.array([could for _, _, could in firsts], bool)
    share = np.where(answerable, 1 - unanswerable, unanswerable)
    return right, share / np.where(answerable, answerable.sum(), max((~answerable).sum(), 1))


def least_for(sure: DoubleArray, right: BoolArray, weight: DoubleArray, precision: float) -> float:
    """The lowest confidence from which on `precision` of the answers are right; 1: none is."""
    order = np.argsort(-sure, kind="stable")
    share = np.cumsum((right * weight)[order]) / np.cumsum(weight[order])
    enough = np.flatnonzero(share >= precision)
    return float(sure[order][enough[-1]]) if len(enough) else 1.0


def _weights(seen: Sequence[Candidates], hidden: Sequence[str] = ()) -> FloatArray:
    """Weights of INPUTS and the bias by which right answers stand before all others.

    Each question is a choice between its pieces: a right one is to be the one that is chosen.
    """
    asked = [one for one in seen if one.right.any() and not one.right.all()]
    inputs = [one.inputs.astype(np.float64) for one in asked]
    everything = np.concatenate(inputs)
    mean, spread = everything.mean(axis=0), everything.std(axis=0) + 1e-6
    shown = np.array([name not in hidden for name in INPUTS], float)
    scaled = [(each - mean) / spread * shown for each in inputs]

    def loss(given: DoubleArray) -> tuple[float, DoubleArray]:
        total, slope = _RIDGE * float(given @ given), 2 * _RIDGE * given
        for one, columns in zip(asked, scaled, strict=True):
            logits = columns @ given
            chance = np.exp(logits - logits.max())
            right = chance * one.right
            total -= float(np.log(right.sum() / chance.sum())) / len(asked)
            pull = chance / chance.sum() - right / right.sum()
            slope = slope + columns.T @ pull / len(asked)
        return total, slope

    best = minimize(loss, np.zeros(len(INPUTS)), jac=True, method="L-BFGS-B").x
    slopes = best / spread * shown
    return np.append(slopes, -float(mean @ slopes)).astype(np.float32)


def _calibration(seen: Sequence[Candidates], model: AnswerModel, has_vector: bool) -> DoubleArray:
    """Of score and margin, and the bias: how likely the first answer is right."""
    firsts = [first for first in _firsts(seen, model, has_vector) if len(first[0])]
    right, weights = _labels(firsts, UNANSWERABLE)
    score = np.array([scores[0] for scores, _, _ in firsts])
    margin = np.array([scores[0] - [*scores, -np.inf][1] for scores, _, _ in firsts])
    inputs = np.column_stack([score, model.margin(margin), np.ones(len(score))])

    def loss(given: DoubleArray) -> tuple[float, DoubleArray]:
        logits = inputs @ given
        losses = np.logaddexp(0, logits) - right * logits
        error = (1 / (1 + np.exp(-logits)) - right) * weights
        ridge = _CALIBRATION_RIDGE * given
        return float(losses @ weights + ridge @ given), inputs.T @ error + 2 * ridge

    # More score and more margin never make less sure: order and confidence agree.
    bounds = [(0.0, None), (0.0, None), (None, None)]
    found: DoubleArray = minimize(
        loss, np.array([1.0, 0.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds
    ).x
    return found
