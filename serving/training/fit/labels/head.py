"""Fits a head: regularised logistic regression, more of it by what it is sure of itself."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from features.arrays import DoubleArray, FloatArray, LongArray

_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # inverse regularisation
_OWN = (0.0, 1.0, 4.0)  # weight of the texts without labels, of that of those with
_ROUNDS = 3
_SURE = 0.6  # share of the texts without labels that it learns from
_FOLDS, _REPEATS = 5, 2


@dataclass(frozen=True, slots=True)
class Choice:
    """How a head is fitted. own: weight of texts without labels; 0: none."""

    strength: float
    own: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choice with the best accuracy in cross-validation, and the temperature of its logits."""

    choice: Choice
    accuracy: float
    temperature: float


def fit(vectors: FloatArray, codes: LongArray, others: FloatArray, choice: Choice) -> FloatArray:
    """Weights float32 (size + 1, labels) by vectors (n, size); others (m, size): without labels."""
    weights = _fitted(vectors, codes, np.ones(len(codes)), choice.strength)
    if not len(others) or not choice.own:
        return weights
    for _ in range(_ROUNDS):
        chances = probabilities(others, weights)
        told = chances.argmax(axis=1)
        sure = _sure(chances, told)
        weight = choice.own * len(codes) / len(sure)
        weights = _fitted(
            np.concatenate([vectors, others[sure]]),
            np.concatenate([codes, told[sure]]),
            np.concatenate([np.ones(len(codes)), np.full(len(sure), weight)]),
            choice.strength,
        )
    return weights


def choose(vectors: FloatArray, codes: LongArray, others: FloatArray) -> Chosen:
    """By cross-validation over labelled texts; of equals, the simplest."""
    best: tuple[float, Choice, DoubleArray, LongArray] | None = None
    weights = _OWN if len(others) else _OWN[:1]
    for own, strength in product(weights, _STRENGTHS):
        choice = Choice(strength, own)
        logits, truth = _out_of_fold(vectors, codes, others, choice)
        accuracy = float((logits.argmax(axis=1) == truth).mean())
        if best is None or accuracy > best[0]:
            best = accuracy, choice, logits, truth
    assert best is not None
    accuracy, choice, logits, truth = best
    return Chosen(choice, accuracy, _temperature(logits, truth))


def probabilities(vectors: FloatArray, weights: FloatArray) -> FloatArray:
    """(n, labels)."""
    logits = vectors @ weights[:-1] + weights[-1]
    chances: FloatArray = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    return chances


def _fitted(
    vectors: FloatArray, codes: LongArray, weight: DoubleArray, strength: float
) -> FloatArray:
    model = LogisticRegression(C=strength, max_iter=2_000).fit(vectors, codes, weight)
    slopes, bias = model.coef_, model.intercept_
    if len(slopes) == 1:  # of two labels sklearn tells the second one's
        slopes, bias = np.vstack([-slopes, slopes]) / 2, np.concatenate([-bias, bias]) / 2
    return np.vstack([slopes.T, bias]).astype(np.float32)


def _sure(chances: FloatArray, told: LongArray) -> LongArray:
    """Of each label its surest texts, so that none of them drowns the others."""
    best = chances.max(axis=1)
    places = []
    for label in range(chances.shape[1]):
        own = np.flatnonzero(told == label)
        places.append(own[np.argsort(-best[own], kind="stable")][: int(np.ceil(_SURE * len(own)))])
    return np.concatenate(places)


def _out_of_fold(
    vectors: FloatArray, codes: LongArray, others: FloatArray, choice: Choice
) -> tuple[DoubleArray, LongArray]:
    logits, truth = [], []
    for seed in range(_REPEATS):
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
        for learnt, asked in folds.split(vectors, codes):
            weights = fit(vectors[learnt], codes[learnt], others, choice)
            logits.append(vectors[asked] @ weights[:-1] + weights[-1])
            truth.append(codes[asked])
    return np.concatenate(logits).astype(np.float64), np.concatenate(truth)


def _temperature(logits: DoubleArray, truth: LongArray) -> float:
    """By which logits are divided, so that the truth is as likely as they say."""

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        norm = np.logaddexp.reduce(scaled, axis=1)
        return float((norm - scaled[np.arange(len(truth)), truth]).mean())

    found = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    return float(np.exp(found.x))
