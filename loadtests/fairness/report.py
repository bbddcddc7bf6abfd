"""Tables and plots of the audit, and of what a floor costs."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from rich.console import Console
from rich.table import Table

from loadtests.fairness.audit import Audited
from loadtests.fairness.floor import Held
from loadtests.fairness.known import Known
from loadtests.fairness.measures import DEPTH, Interval
from loadtests.fairness.probe import Probed


def told(interval: Interval, digits: int = 3) -> str:
    """With its 95 % interval."""
    return f"{interval.value:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def show_audit(found: Sequence[Audited], console: Console) -> None:
    """Print each ranker's figures."""
    table = Table(title=f"all households, the first {DEPTH} places", title_justify="left")
    for name in ("ranker", f"NDCG@{DEPTH}", "items", "coverage", "Gini", *_kinds(found)):
        table.add_column(name)
    for one in found:
        awrf = [told(each.awrf) for each in one.exposures]
        table.add_row(
            one.ranker, told(one.ndcg), str(one.spread.items), f"{one.spread.coverage:.3f}",
            f"{one.spread.gini:.3f}", *awrf,
        )  # fmt: skip
    console.print(table)
    for one in found:
        console.print(_of_items(one))
    for one in found:
        console.print(_of_shoppers(one))


def _kinds(found: Sequence[Audited]) -> list[str]:
    return [f"AWRF {each.kind}" for each in found[0].exposures]


def _of_items(one: Audited) -> Table:
    table = Table(title=f"{one.ranker}: exposure by group of items", title_justify="left")
    for name in ("kind", "group", "on offer", "wanted", "exposure", "over offer", "over wanted"):
        table.add_column(name)
    for kind in one.exposures:
        for group in kind.groups:
            table.add_row(
                kind.kind, group.name, f"{group.offered:.3f}", f"{group.wanted:.3f}",
                told(group.exposure), told(group.parity, 2), told(group.of_relevance, 2),
            )  # fmt: skip
    return table


def show_known(found: Sequence[Known], console: Console) -> None:
    """Print what households that told something have more, with what else differs held alike."""
    table = Table(title="told something, less told nothing", title_justify="left")
    for name in ("ranker", "held alike", f"NDCG@{DEPTH} more"):
        table.add_column(name)
    for one in found:
        for step in one.adjusted:
            table.add_row(one.ranker, ", ".join(step.held) or "nothing", told(step.apart))
    console.print(table)
    table = Table(title="the same by baskets bought before", title_justify="left")
    for name in ("ranker", "baskets", "rankings", "told nothing", "told something", "more"):
        table.add_column(name)
    for one in found:
        for part in one.strata:
            table.add_row(
                one.ranker, f"{part.low:.0f} to {part.high:.0f}",
                f"{part.groups[0]} and {part.groups[1]}",
                f"{part.ndcg[0]:.3f}", f"{part.ndcg[1]:.3f}", told(part.apart),
            )  # fmt: skip
    console.print(table)


def show_probe(found: Sequence[Probed], console: Console) -> None:
    """Print how well groups are predicted from each kind of inputs."""
    table = Table(title="groups of households, predicted from their state", title_justify="left")
    for name in ("groups", "inputs", "households", "largest group", "accuracy", "AUC",
                 "AUC, labels dealt out anew", "as good by chance"):  # fmt: skip
        table.add_column(name)
    for one in found:
        low, high = one.by_chance
        table.add_row(
            f"{one.kind} ({one.groups})", one.inputs, str(one.households), f"{one.majority:.3f}",
            told(one.accuracy), told(one.auc), f"{low:.3f} to {high:.3f}", f"{one.chance:.2f}",
        )  # fmt: skip
    console.print(table)


def _of_shoppers(one: Audited) -> Table:
    table = Table(title=f"{one.ranker}: NDCG@{DEPTH} by group of households", title_justify="left")
    for name in ("kind", "group", "households", "rankings", "NDCG", "less that of the others"):
        table.add_column(name)
    for kind, groups in one.shoppers.items():
        for group in groups:
            table.add_row(
                kind, group.name, str(group.shoppers), str(group.rankings), told(group.ndcg),
                told(group.apart),
            )  # fmt: skip
    return table


def plot_audit(found: Sequence[Audited], path: Path) -> None:
    """Exposure over what was wanted by group of items, NDCG by group of households; of the first
    ranker."""
    one = found[0]
    items = [(f"{k.kind}: {g.name}", g.of_relevance) for k in one.exposures for g in k.groups]
    people = [(f"{k}: {g.name}", g.ndcg) for k, groups in one.shoppers.items() for g in groups]
    figure, axes = plt.subplots(1, 2, figsize=(13, 0.32 * max(len(items), len(people)) + 1.5))
    sides = ((items, "exposure over what was wanted"), (people, f"NDCG@{DEPTH}"))
    for axis, (rows, label) in zip(axes, sides, strict=True):
        for place, (_, interval) in enumerate(rows):
            axis.plot([interval.low, interval.high], [place, place], color="#4a6fa5")
            axis.plot(interval.value, place, "o", color="#1d3557")
        axis.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
        axis.invert_yaxis()
        axis.set_xlabel(f"{label}, 95 % interval")
        axis.grid(axis="x", alpha=0.3)
    axes[0].axvline(1.0, color="#999", linewidth=1)
    axes[1].axvline(one.ndcg.value, color="#999", linewidth=1)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def show_floor(proof: Held, points: Sequence[Held], console: Console) -> None:
    """Print what a floor holds and costs."""
    table = Table(title="a floor of exposure for new items", title_justify="left")
    for name in ("rankings", "floor", "held", "without", "NDCG", "without", "lost", "as counted"):
        table.add_column(name)
    for one in (proof, *points):
        table.add_row(
            f"{one.rankings:,}", f"{one.floor:.2f}", f"{one.share:.4f}", f"{one.without:.4f}",
            f"{one.ndcg:.4f}", f"{one.ndcg_without:.4f}", f"{100 * one.lost:.2f} %",
            f"{100 * one.price:.2f} %",
        )  # fmt: skip
    console.print(table)


def plot_floor(points: Sequence[Held], path: Path) -> None:
    """What is held, and what it costs, by floor."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    floors = [one.floor for one in points]
    left.plot(floors, [one.share for one in points], "o-", color="#1d3557", label="held")
    left.plot(floors, floors, "--", color="#999", label="floor")
    left.axhline(points[0].without, color="#e07a5f", label="without a floor")
    left.set_ylabel("exposure of new items, share")
    right.plot(floors, [100 * one.lost for one in points], "o-", color="#1d3557", label="of worth")
    right.plot(floors, [100 * one.price for one in points], "s--", color="#4a6fa5",
               label="as the controller counts it")  # fmt: skip
    right.set_ylabel("NDCG@10 lost, %")
    for axis in (left, right):
        axis.set_xlabel("floor")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
