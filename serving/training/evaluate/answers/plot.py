"""The measurement as a picture: rankers, and what answering more of the questions costs."""

from pathlib import Path

import numpy as np

from serving.training.fit.answers.evaluation import ANSWERED, SHARES, Held, precision_at
from serving.training.fit.answers.fitting import PRECISION
from serving.training.fit.answers.gate import Judgement

_POINTS = np.linspace(0.1, 1.0, 19)


def draw(held: Held, judgement: Judgement, path: Path) -> None:
    """Write the PNG at `path`."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    figure.suptitle(f"{judgement.questions} questions that were not trained on")
    axes = figure.add_subplot(1, 2, 1)
    names = list(judgement.recall_1)[::-1]
    means = np.array([judgement.recall_1[name][0] for name in names])
    ends = np.array([judgement.recall_1[name][1:] for name in names])
    axes.barh(names, means, xerr=np.abs(ends.T - means), color="tab:blue")
    axes.set_xlim(0, 1)
    axes.set_title("recall@1, 95 % interval")
    axes = figure.add_subplot(1, 2, 2)
    for share in SHARES:
        found = [precision_at(held, share, point, draws=1)[0] for point in _POINTS]
        axes.plot(_POINTS, found, label=f"{share:.0%} without an answer")
    axes.axhline(PRECISION, color="tab:gray", linewidth=0.8)
    axes.axvline(ANSWERED, color="tab:gray", linewidth=0.8)
    axes.set_xlabel("share of the questions answered")
    axes.set_title("precision of what is answered")
    axes.legend()
    figure.savefig(path, dpi=110)
