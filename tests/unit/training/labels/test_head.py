"""A head is fitted, chosen and calibrated; what it is sure of without labels helps."""

import numpy as np
import pytest

from features.arrays import FloatArray, LongArray
from serving.training.fit.labels.gate import calibration_error, judge, measure
from serving.training.fit.labels.head import Choice, choose, fit, probabilities

SIZE = 24


def texts(n: int, seed: int, labels: int = 2, apart: float = 1.0) -> tuple[FloatArray, LongArray]:
    """Unit vectors around one center a label."""
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(labels, SIZE)) * apart
    codes = random.integers(0, labels, n)
    vectors = centers[codes] + random.normal(size=(n, SIZE)) * 2
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), codes


NONE = np.zeros((0, SIZE), np.float32)


@pytest.mark.parametrize("labels", [2, 4])
def test_it_learns_labels(labels: int) -> None:
    vectors, codes = texts(300, 0, labels, apart=2)
    weights = fit(vectors, codes, NONE, Choice(10.0, 0.0))
    assert weights.shape == (SIZE + 1, labels)
    asked, truth = texts(500, 1, labels, apart=2)
    chances = probabilities(asked, weights)
    assert chances.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (chances.argmax(axis=1) == truth).mean() > 0.9


def test_texts_without_labels_help_where_there_are_few_with() -> None:
    asked, truth = texts(2_000, 1)
    others, _ = texts(2_000, 2)
    gains = []
    for seed in range(10, 16):
        vectors, codes = texts(16, seed)
        if len(set(codes.tolist())) < 2:
            continue
        right = []
        for choice in (Choice(10.0, 0.0), Choice(10.0, 4.0)):
            chances = probabilities(asked, fit(vectors, codes, others, choice))
            right.append((chances.argmax(axis=1) == truth).mean())
        gains.append(right[1] - right[0])
    assert np.mean(gains) > 0


def test_what_is_chosen_tells_chances_that_are_true() -> None:
    vectors, codes = texts(400, 0)
    chosen = choose(vectors, codes, NONE)
    asked, truth = texts(4_000, 1)
    weights = fit(vectors, codes, NONE, chosen.choice) / chosen.temperature
    chances = probabilities(asked, weights.astype(np.float32))
    right = chances.argmax(axis=1) == truth
    assert calibration_error(chances.max(axis=1), right) < 0.05
    assert chosen.accuracy == pytest.approx(right.mean(), abs=0.06)


def test_labels_of_chance_do_not_pass_the_gate() -> None:
    random = np.random.default_rng(77)
    vectors, _ = texts(200, 0)
    codes = random.integers(0, 2, 200)
    chances = probabilities(vectors, fit(vectors[:100], codes[:100], NONE, Choice(10.0, 0.0)))
    measured = measure(chances[100:], codes[100:])
    verdict = judge(measured, chances[100:].argmax(axis=1) == codes[100:], None)
    (why,) = verdict.refused
    assert "not surely better than always the most frequent label" in why


def test_one_that_is_worse_than_the_version_in_use_does_not_pass() -> None:
    right = np.arange(100) < 90
    better = np.arange(100) < 94
    codes = np.arange(100) % 2
    told = np.where(right, codes, 1 - codes)
    chances = np.where(told[:, None] == np.arange(2), 0.9, 0.1).astype(np.float32)
    measured = measure(chances, codes)
    assert measured.accuracy == pytest.approx(0.9)
    assert measured.low == pytest.approx(0.826, abs=2e-3)
    assert measured.high == pytest.approx(0.945, abs=2e-3)
    assert judge(measured, right, None).refused == []
    verdict = judge(measured, right, better)
    assert verdict.in_use is not None
    assert verdict.in_use.mean == pytest.approx(-0.04)
    (why,) = verdict.refused
    assert "the version in use is better: -0.040" in why
    assert judge(measured, right, right).refused == []  # as good as that is good enough


def test_chances_that_are_too_sure_have_an_error() -> None:
    right = np.arange(1_000) % 2 == 0
    assert calibration_error(np.full(1_000, 0.9), right) == pytest.approx(0.4, abs=0.01)
    assert calibration_error(np.full(1_000, 0.5), right) == pytest.approx(0, abs=0.01)
