"""Corrections for several looks at once."""

import numpy as np
import pytest

from serving.experiments.statistics.correction import Correction, corrected


def test_holm_multiplies_the_smallest_most_and_never_falls() -> None:
    p = np.array([0.04, 0.01, 0.03, 0.005])
    assert corrected(p, Correction.HOLM) == pytest.approx([0.06, 0.03, 0.06, 0.02])


def test_benjamini_and_hochberg_divide_by_the_rank() -> None:
    p = np.array([0.01, 0.02, 0.03, 0.04])
    assert corrected(p, Correction.BENJAMINI_HOCHBERG) == pytest.approx([0.04] * 4)


def test_what_could_not_be_read_counts_for_nothing() -> None:
    p = np.array([0.01, np.nan, 0.02])
    for how in Correction:
        told = corrected(p, how)
        assert np.isnan(told[1])
        assert told[[0, 2]] == pytest.approx(corrected(p[[0, 2]], how))
    assert np.isnan(corrected(np.array([np.nan]), Correction.HOLM)).all()


def test_holm_finds_something_among_twenty_useless_metrics_once_in_twenty_times() -> None:
    rng = np.random.default_rng(8)
    runs = [corrected(rng.random(20), Correction.HOLM).min() < 0.05 for _ in range(2_000)]
    assert np.mean(runs) < 0.065
