"""A run as four pictures: latency, asked and achieved, routes, capacity."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.load.run import Outcome
from loadtests.load.schedule import starts

PERCENTILES = (0.5, 0.9, 0.99)
ROUTES = ("model", "cold_start", "fallback")


def draw(outcome: Outcome, png: Path) -> str:
    """Write the picture to `png`; the same as SVG text."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 7), layout="constrained")
    over_time = outcome.table.assign(second=outcome.table["due_s"].astype(int))
    _latency(axes[0, 0], over_time, outcome.run.limits.p99_ms)
    _rate(axes[0, 1], outcome)
    _routes(axes[1, 0], over_time)
    _capacity(axes[1, 1], outcome)
    for timeline in (axes[0, 0], axes[0, 1], axes[1, 0]):
        timeline.set_xlabel("seconds since the start, by when requests were due")
        timeline.grid(alpha=0.3)
    figure.savefig(png, dpi=110)
    svg = _svg(figure)
    plt.close(figure)
    return svg


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg")
    return text.getvalue()[text.getvalue().index("<svg") :]


def _latency(axes: Axes, over_time: pd.DataFrame, p99_ms: float) -> None:
    """Percentiles of rankings, over windows of a fortieth of the run: a second holds too few."""
    rankings = over_time[over_time["endpoint"] != "events"]
    width_s = max(1, int(rankings["second"].max() / 40)) if len(rankings) else 1
    windows = rankings.groupby(rankings["second"] // width_s * width_s)["latency_ms"]
    for q in PERCENTILES:
        line = windows.quantile(q)
        axes.step(line.index, line, where="post", label=f"p{100 * q:g}")
    axes.axhline(p99_ms, color="red", linestyle=":", label="p99 budget")
    axes.set(title=f"latency of rankings from due (windows of {width_s} s)", ylabel="ms")
    axes.set_yscale("log")
    axes.legend()


def _rate(axes: Axes, outcome: Outcome) -> None:
    seconds = np.arange(0, np.ceil(outcome.table["due_s"].max()) + 2 if len(outcome.table) else 2)
    due, _ = np.histogram(outcome.run.arrivals, seconds)
    sent, _ = np.histogram(outcome.table["sent_s"], seconds)
    axes.step(seconds[:-1], due, where="post", label="asked", linewidth=2.5, alpha=0.5)
    axes.step(seconds[:-1], sent, where="post", label="achieved", linewidth=1)
    bounds = starts(outcome.run.stages)
    for stage, start_s in zip(outcome.run.stages, bounds, strict=False):
        if stage.purpose == "judged":
            axes.axvspan(start_s, start_s + stage.seconds, alpha=0.08, color="green")
    axes.set(title="requests a second, asked and achieved (judged part shaded)", ylabel="1/s")
    axes.legend()


def _routes(axes: Axes, over_time: pd.DataFrame) -> None:
    rankings = over_time[over_time["route"] != ""]
    shares = pd.crosstab(rankings["second"], rankings["route"]).reindex(
        columns=list(ROUTES), fill_value=0
    )
    smooth = shares.rolling(5, min_periods=1).sum()
    smooth = smooth.div(smooth.sum(axis=1), axis=0)
    axes.stackplot(smooth.index, smooth.to_numpy().T, labels=ROUTES, alpha=0.7)
    axes.set(title="how rankings came about (over 5 s)", ylabel="share", ylim=(0, 1))
    axes.legend(loc="lower left")


def _capacity(axes: Axes, outcome: Outcome) -> None:
    """Latency against the rate asked: the knee is where it turns up."""
    steps, limits = outcome.steps, outcome.run.limits
    rates = [step.asked / step.seconds for step in steps]
    for name in ("p50_ms", "p99_ms"):
        axes.plot(rates, [getattr(s, name) for s in steps], marker="o", label=name[:3])
    axes.axhline(limits.p99_ms, color="red", linestyle=":", label="p99 budget")
    if outcome.knee is not None:
        rate = outcome.knee.asked / outcome.knee.seconds
        axes.axvline(rate, color="green", linestyle="--", label=f"knee {rate:.1f}/s")
    axes.set(title="capacity", xlabel="requests a second, asked", ylabel="ms")
    axes.grid(alpha=0.3)
    if steps:
        axes.set_yscale("log")
        axes.legend()
    else:
        axes.text(0.5, 0.5, "not searched", transform=axes.transAxes, ha="center")
