"""What each way of learning earns, as a picture."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from loadtests.exploration.learning.judging import Compared


def draw(found: Mapping[str, Compared], against: str, png: Path) -> None:
    """Write the picture: reward and NDCG of each way, `against` one of them."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained", sharey=True)
    names = list(found)
    for panel, label, each in (
        (axes[0], "reward, %", [found[name].reward for name in names]),
        (axes[1], "NDCG@10, points", [found[name].ndcg for name in names]),
    ):
        below = [one.mean - one.low for one in each]
        above = [one.high - one.mean for one in each]
        panel.errorbar([one.mean for one in each], range(len(names)), xerr=[below, above], fmt="o")
        panel.axvline(0, color="#333333", linewidth=0.8)
        panel.set_xlabel(f"{label}, against: {against}")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=80)
    plt.close(figure)
