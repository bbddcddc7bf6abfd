"""Runs as a picture: a column each, above how rankings were answered, below how many replicas."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from loadtests.autoscaling.burst import TICK_S, Scenario, Series, Trace

_BIN = round(5 / TICK_S)
_Line = tuple[str, str, str]  # column, label, colour
_ROUTES: tuple[_Line, ...] = (
    ("model", "model", "#4878a8"),
    ("rules", "rules", "#e0b040"),
    ("refused", "refused", "#c03030"),
)
_PARTS: tuple[_Line, ...] = (
    ("ingress", "ingress", "#333333"),
    ("ranker", "Ranker", "#4878a8"),
    ("pods", "Triton pods", "#508850"),
    ("workers", "Ray workers", "#b07030"),
)


def draw(runs: list[tuple[Scenario, Trace]], png: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(
        2, len(runs), figsize=(4.2 * len(runs), 6), layout="constrained", sharey="row", sharex=True
    )
    for place, (scenario, trace) in enumerate(runs):
        _answers(axes[0, place], scenario, trace)
        _replicas(axes[1, place], scenario, trace)
    axes[0, 0].set_ylabel("rankings a second")
    axes[1, 0].set_ylabel("running")
    axes[0, -1].legend(loc="upper right")
    axes[1, -1].legend(loc="upper right")
    png.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=80)
    plt.close(figure)


def _answers(axes: Axes, scenario: Scenario, trace: Trace) -> None:
    rates = [_binned(trace.column(name)) / TICK_S for name, _, _ in _ROUTES]
    late = _binned(trace.column("late")) / TICK_S
    minutes = _minutes(scenario, len(rates[0]))
    axes.stackplot(
        minutes, rates, labels=[label for _, label, _ in _ROUTES],
        colors=[color for _, _, color in _ROUTES], linewidth=0,
    )  # fmt: skip
    axes.plot(minutes, late, color="black", linewidth=1, label="of them late")
    # Serve's defaults answer a minute's queue at once, all of it late: cut off.
    axes.set_ylim(0, 1.3 * scenario.burst.steady_rate * scenario.burst.factor)
    axes.set_title(scenario.name)
    axes.grid(alpha=0.3)


def _replicas(axes: Axes, scenario: Scenario, trace: Trace) -> None:
    for name, label, color in _PARTS:
        values = trace.column(name)[::_BIN]
        axes.step(
            _minutes(scenario, len(values)), values, where="post", label=label, color=color,
            linestyle=":" if name == "workers" else "-", linewidth=2 if name == "workers" else 1.5,
        )  # fmt: skip
    axes.set_xlabel("minutes since the rise")
    axes.grid(alpha=0.3)


def _binned(values: Series) -> Series:
    """Means over five seconds, (n,)."""
    n = len(values) // _BIN
    means: Series = values[: n * _BIN].reshape(n, _BIN).mean(axis=1)
    return means


def _minutes(scenario: Scenario, n: int) -> Series:
    times: Series = (np.arange(n) * _BIN * TICK_S - scenario.burst.before_s) / 60
    return times
