"""The courses as a picture: what is earned beyond no exploration by day, and by whom found."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from loadtests.exploration.findings import Finding
from loadtests.exploration.play import Course

_SMOOTHED = 5  # days


def draw(
    courses: Mapping[str, Sequence[Course]], without: str, findings: Sequence[Finding], png: Path
) -> None:
    """Write the picture."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    before = np.array([course.reward for course in courses[without]])
    window = np.ones(_SMOOTHED) / _SMOOTHED
    for name, played in courses.items():
        if name != without:
            reward = np.array([course.reward for course in played])
            more = 100 * (reward.mean(axis=0) / before.mean(axis=0) - 1)
            days = np.arange(_SMOOTHED, len(more) + 1)
            left.plot(days, np.convolve(more, window, "valid"), label=name)
    left.axhline(0, color="#333333", linewidth=0.8)
    left.set_xlabel(f"day (mean of {_SMOOTHED})")
    left.set_ylabel("reward of a ranking against none, %")
    left.legend(fontsize="small")
    places = np.arange(len(findings))
    sooner = [found.sooner for found in findings]
    right.errorbar(
        [each.mean for each in sooner],
        places,
        xerr=[
            [each.mean - each.low for each in sooner],
            [each.high - each.mean for each in sooner],
        ],
        fmt="o",
    )
    right.set_yticks(places, [found.name for found in findings])
    right.axvline(1, color="#333333", linewidth=0.8)
    right.set_xlabel("good new items are found so many times as fast")
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=80)
    plt.close(figure)
