"""A soak tells a leak from a warm-up."""

from typing import cast

import numpy as np
import pytest

from loadtests.memory import GROWTH, MemoryWatch, growth
from loadtests.stack import RunningStack


def test_a_warm_up_is_no_leak() -> None:
    warm = [*np.linspace(1000, 2000, 9), *[2000.0] * 91]
    assert growth(warm) == pytest.approx(0.0)


def test_a_steady_climb_is_one() -> None:
    assert growth(np.linspace(1000, 1200, 100).tolist()) > GROWTH


def test_one_spike_is_none() -> None:
    sizes = [1000.0] * 100
    sizes[95] = 5000.0
    assert growth(sizes) == pytest.approx(0.0)


def test_too_few_samples_tell_nothing() -> None:
    assert growth([1.0, 100.0]) == 0.0


def test_what_grew_most_is_named_first() -> None:
    watch = MemoryWatch(cast(RunningStack, None))
    watch.samples = [{"a": 10.0, "b": 50.0}, {"a": 30.0, "b": 51.0, "late": 4.0}]
    assert list(watch.by_process) == ["a", "late", "b"]
    assert watch.by_process["late"] == [0.0, 4.0]
    assert watch.sums == [60.0, 85.0]
