"""The courses as a picture: what each policy earns by day, and how fast it finds new items."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from loadtests.exploration.findings import Finding
from loadtests.exploration.learner import Ranker
from loadtests.exploration.play import Course

_SMOOTHED = 5  # days


def draw(
    courses: Mapping[Ranker, Mapping[str, Sequence[Course]]],
    without: str,
    findings: Mapping[Ranker, Sequence[Finding]],
    png: Path,
) -> None:
    """Write the picture: a row for each ranker."""
    figure, axes = plt.subplots(
        len(courses), 2, figsize=(12, 4 * len(courses)), layout="constrained", squeeze=False
    )
    for (ranker, played), (left, right) in zip(courses.items(), axes, strict=True):
        left.set_title(f"ranked by {ranker}")
        _rewards(left, played, without)
        _paces(right, findings[ranker])
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=80)
    plt.close(figure)


def _rewards(axes: Axes, courses: Mapping[str, Sequence[Course]], without: str) -> None:
    before = np.array([course.reward for course in courses[without]])
    window = np.ones(_SMOOTHED) / _SMOOTHED
    for name, played in courses.items():
        if name != without:
            reward = np.array([course.reward for course in played])
            more = 100 * (reward.mean(axis=0) / before.mean(axis=0) - 1)
            days = np.arange(_SMOOTHED, len(more) + 1)
            axes.plot(days, np.convolve(more, window, "valid"), label=name)
    axes.axhline(0, color="#333333", linewidth=0.8)
    axes.set_xlabel(f"day (mean of {_SMOOTHED})")
    axes.set_ylabel("reward against none, %")
    axes.legend(fontsize="small")


def _paces(axes: Axes, findings: Sequence[Finding]) -> None:
    sooner = [found.sooner for found in findings]
    below = [each.mean - each.low for each in sooner]
    above = [each.high - each.mean for each in sooner]
    places = np.arange(len(findings))
    axes.errorbar([each.mean for each in sooner], places, xerr=[below, above], fmt="o")
    axes.set_yticks(places, [found.name for found in findings])
    axes.axvline(1, color="#333333", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("good new items are found so many times as fast")
