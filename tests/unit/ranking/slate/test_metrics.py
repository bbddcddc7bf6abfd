"""Drift and distance: numbers that mean what they say."""

import numpy as np
import pytest

from serving.ranking.slate.metrics import ScoreDrift, kendall_distance, stability_index


def test_the_same_population_is_stable_and_a_shifted_one_is_not() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=2_000)
    assert stability_index(before, rng.normal(size=2_000)) < 0.05
    assert stability_index(before, rng.normal(1.0, 1.0, size=2_000)) > 0.25


def test_a_constant_score_has_an_index_that_is_finite() -> None:
    constant = np.ones(100)
    assert stability_index(constant, constant) == pytest.approx(0.0)
    assert 0.25 < stability_index(constant, np.zeros(100)) < np.inf


def test_drift_is_told_against_the_first_scores_of_the_version() -> None:
    drift = ScoreDrift(window=100)
    rng = np.random.default_rng(2)
    steady = [drift.add("7", score) for score in rng.normal(size=400).tolist()]
    assert all(told is None for told in steady[:199])
    assert max(told for told in steady if told is not None) < 0.4
    moved = [drift.add("7", score) for score in rng.normal(5, 1, size=200).tolist()]
    assert [told for told in moved if told is not None][-1] > 1.0


def test_another_version_is_not_compared_with_the_one_before() -> None:
    drift = ScoreDrift(window=10)
    for _ in range(30):
        drift.add("7", 0.0)
    assert all(drift.add("8", 100.0) is None for _ in range(19))
    assert drift.add("8", 100.0) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("order", "distance"),
    [([0, 1, 2, 3], 0.0), ([3, 2, 1, 0], 1.0), ([1, 0, 2, 3], 1 / 6), ([5], 0)],
)
def test_kendall_s_distance_is_the_share_of_pairs_turned_round(
    order: list[int], distance: float
) -> None:
    assert kendall_distance(np.array(order)) == pytest.approx(distance)
