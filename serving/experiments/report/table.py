"""A reading as text: the verdict first, then what it rests on."""

from rich.console import Console
from rich.table import Table

from serving.experiments.report.result import (
    ArmReading,
    ExperimentReading,
    Lasting,
    MetricReading,
    SampleRatio,
)
from serving.experiments.statistics.interleaving import Preference


def show(reading: ExperimentReading, console: Console) -> None:
    """Print it."""
    console.print(f"{reading.experiment}: {reading.verdict.sentence}", markup=False)
    _show_ratio(reading, console)
    for arm in reading.arms:
        console.print(_metrics(arm, reading))
        if reading.cap is not None:
            console.print(
                f"{arm.deciding.metric}: each counts up to the {reading.cap:.1%} quantile of those "
                "who have any", markup=False,
            )  # fmt: skip
        if arm.lasting is not None:
            console.print(_lasts(arm.lasting), markup=False)
        if len(reading.arms) > 1:
            console.print(arm.verdict.sentence, markup=False)
    if reading.interleaving is not None:
        console.print(told(reading.interleaving), markup=False)


def tests_of(ratio: SampleRatio) -> str:
    """Both p values, and which of them decides."""
    line = f"chi-squared p = {ratio.chi_squared_p:.3g}, sequential p = {ratio.sequential_p:.3g}"
    return f"{line}; {ratio.decides.replace('_', '-')} decides"


def told(preference: Preference) -> str:
    """What interleaving found, in a line."""
    return (
        f"interleaved: the arm has {preference.share:.1%} of the credit "
        f"({preference.low:.1%} to {preference.high:.1%}, p = {preference.p_value:.2g}) and wins "
        f"{preference.win_share:.1%} of {preference.shoppers:,} shoppers, ties count half"
    )


def _show_ratio(reading: ExperimentReading, console: Console) -> None:
    ratio = reading.sample_ratio
    table = Table(title=f"sample ratio: {ratio.state}", title_justify="left")
    table.add_column("arm")
    for name in ("shoppers", "share", "expected"):
        table.add_column(name, justify="right")
    total = max(sum(ratio.counts.values()), 1)
    for arm, count in ratio.counts.items():
        table.add_row(arm, f"{count:,}", f"{count / total:.2%}", f"{ratio.expected[arm]:.2%}")
    console.print(table)
    console.print(tests_of(ratio), markup=False)
    if reading.in_two_arms:
        console.print(f"left out: {reading.in_two_arms:,} shoppers in several arms", markup=False)


def _metrics(arm: ArmReading, reading: ExperimentReading) -> Table:
    table = Table(title=f"{arm.arm} against {reading.control}", title_justify="left")
    table.add_column("metric")
    table.add_column("segment")
    level = f"{1 - reading.alpha:.0%}, {reading.looks}"
    for name in (
        "shoppers",
        reading.control,
        arm.arm,
        "lift",
        level,
        "p",
        f"p, {reading.correction.value.replace('_', '-')}",
        "saved by past",
        "",
    ):
        table.add_column(name, justify="right")
    for metric in (arm.deciding, *arm.others):
        table.add_row(*_cells(metric), metric.finding)
    for rail in arm.guard_rails:
        cells = _cells(rail.reading)
        cells[0] = f"guard rail: {cells[0]}, {rail.bound:.1%}"
        table.add_row(*cells, rail.state)
    return table


def _lasts(lasting: Lasting) -> str:
    return (
        f"later days against the first {lasting.first_days} after exposure: {lasting.change:+.1%} "
        f"({lasting.low:+.1%} {lasting.high:+.1%}), {sum(lasting.shoppers):,} shoppers: "
        f"{lasting.finding}"
    )


def _cells(metric: MetricReading) -> list[str]:
    interval = (
        "" if metric.low is None or metric.high is None else f"{metric.low:+.1%} {metric.high:+.1%}"
    )
    return [
        metric.metric,
        metric.segment,
        f"{sum(metric.shoppers):,}",
        _number(metric.control),
        _number(metric.treatment),
        "" if metric.lift is None else f"{metric.lift:+.1%}",
        interval,
        "" if metric.p_value is None else f"{metric.p_value:.2g}",
        "" if metric.adjusted_p is None else f"{metric.adjusted_p:.2g}",
        f"{metric.saved:.0%}",
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
