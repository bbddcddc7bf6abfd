"""Ratios by the delta method and the past taken out by CUPED."""

import numpy as np
import pytest

from serving.experiments.statistics.samples import adjusted, linearised, sample_of


def shoppers(n: int = 4_000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.8, 1 / 0.8, n)
    impressions = rng.poisson(10 * rate).astype(float)
    return rng.binomial(impressions.astype(int), 0.1).astype(float), impressions


def test_a_ratio_is_that_of_the_sums_and_its_error_that_of_a_bootstrap_by_shopper() -> None:
    clicks, impressions = shoppers()
    told = sample_of(linearised(clicks, impressions))
    assert told.mean == pytest.approx(clicks.sum() / impressions.sum())
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(clicks), (2_000, len(clicks)))
    ratios = clicks[drawn].sum(axis=1) / impressions[drawn].sum(axis=1)
    assert float(told.variance) / float(told.n) == pytest.approx(ratios.var(), rel=0.1)


def test_a_ratio_of_nothing_is_not_a_number() -> None:
    assert np.isnan(linearised(np.zeros(3), np.zeros(3))).all()


def test_a_past_that_tells_half_the_variance_saves_half_of_it_and_leaves_the_lift() -> None:
    rng = np.random.default_rng(4)
    n = 60_000
    past, chance = rng.normal(size=n), rng.normal(size=n)
    arm = rng.random(n) < 0.5
    values = 10 + past + chance + 0.3 * arm
    told = adjusted(values, [~arm, arm], past[:, None])
    assert told.saved == pytest.approx(0.5, abs=0.02)
    assert told.values[arm].mean() - told.values[~arm].mean() == pytest.approx(0.3, abs=0.03)
    assert told.values[arm].var() == pytest.approx(values[arm].var() / 2, rel=0.03)


def test_shoppers_without_a_past_are_kept_and_may_differ_from_the_others() -> None:
    rng = np.random.default_rng(4)
    n = 20_000
    past = rng.normal(size=n)
    past[: n // 2] = np.nan
    values = np.where(np.isnan(past), 3.0, 1.0 + np.nan_to_num(past)) + 0.1 * rng.normal(size=n)
    arm = rng.random(n) < 0.5
    told = adjusted(values, [~arm, arm], past[:, None])
    assert np.isfinite(told.values).all()
    assert told.saved > 0.95  # being new is itself part of the past


def test_a_past_that_says_nothing_changes_nothing() -> None:
    values = np.random.default_rng(1).normal(size=1_000)
    arm = np.arange(1_000) < 500
    for past in (np.ones((1_000, 1)), np.full((1_000, 1), np.nan), np.zeros((1_000, 0))):
        told = adjusted(values, [~arm, arm], past)
        assert told.values == pytest.approx(values)
        assert told.saved == pytest.approx(0.0, abs=1e-9)


def test_one_shopper_has_no_variance() -> None:
    with pytest.raises(ValueError, match="two shoppers"):
        sample_of(np.array([1.0]))
