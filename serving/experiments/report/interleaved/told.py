"""The reading of an interleave as text and as a picture."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from serving.experiments.report.interleaved.reading import InterleavedReading
from serving.experiments.report.table import tests_of, told


def show(reading: InterleavedReading, console: Console) -> None:
    """Print it, the verdict first."""
    console.print(f"{reading.experiment}: {reading.verdict.sentence}", markup=False)
    ratio = reading.sample_ratio
    table = Table(title=f"who picks first: {ratio.state}", title_justify="left")
    table.add_column("arm")
    for name in ("picks first", "picks shown", "clicks", "carts", "purchases", "credit"):
        table.add_column(name, justify="right")
    for team in reading.teams:
        table.add_row(
            team.arm, f"{team.first:,}", f"{team.picks:,}", f"{team.clicks:,}", f"{team.carts:,}",
            f"{team.purchases:,}", f"{team.credit:,.4g}",
        )  # fmt: skip
    console.print(table)
    console.print(tests_of(ratio), markup=False)
    share = reading.interleaved / reading.rankings
    console.print(
        f"rankings shared by both arms: {reading.interleaved:,} of {reading.rankings:,} "
        f"({share:.1%})",
        markup=False,
    )
    if reading.interleaving is not None:
        console.print(told(reading.interleaving), markup=False)


def draw(reading: InterleavedReading, path: Path) -> None:
    """Write the PNG at `path`: the share of the credit by day, and how many shoppers each won."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    figure = Figure(figsize=(12.0, 4.2), layout="constrained")
    figure.suptitle(reading.verdict.sentence, wrap=True, fontsize=10)
    by_day, won = figure.subplots(1, 2, width_ratios=(2, 1))
    days = [point.day for point in reading.by_day]
    by_day.plot(days, [100 * point.share for point in reading.by_day], color="tab:blue")
    by_day.fill_between(
        days, [100 * point.low for point in reading.by_day],
        [100 * point.high for point in reading.by_day], alpha=0.25,
    )  # fmt: skip
    by_day.axhline(50, color="black", linewidth=0.8)
    by_day.set_xlabel("days since the first interleaved ranking")
    by_day.set_ylabel(f"{reading.treatment}'s share of the credit in %")
    found = reading.interleaving
    if found is None:
        won.bar([team.arm for team in reading.teams], [team.first for team in reading.teams])
        won.set_ylabel("rankings in which it picks first")
    else:
        names = [reading.control, "neither", reading.treatment]
        colours = ["tab:gray", "lightgray", "tab:blue"]
        won.bar(names, [found.losses, found.ties, found.wins], color=colours)
        won.set_ylabel("shoppers who gave it more credit")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
