"""The attacks as tables, a plot and JSON."""

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.privacy.attacks import Attack
from loadtests.privacy.reconstruction import Leading


def show(title: str, attacks: list[Attack], console: Console) -> None:
    """One row an attack; AUC .5 and a share of .01 are what guessing gives."""
    table = Table(title=title, title_justify="left")
    for name in ("attack", "AUC", "95 %", "found at 1 % alarms", "members", "others"):
        table.add_column(name, justify="left" if name == "attack" else "right")
    for one in attacks:
        mean, low, high = one.auc
        table.add_row(
            one.name, f"{mean:.3f}", f"{low:.3f}-{high:.3f}", f"{one.found:.3f}",
            f"{one.members:,}", f"{one.others:,}",
        )  # fmt: skip
    console.print(table)


def show_leading(leading: list[Leading], console: Console) -> None:
    """What leads a whole catalogue."""
    table = Table(title="the first 20 of the whole catalogue", title_justify="left")
    for name in ("order", "bought before", "by chance"):
        table.add_column(name, justify="left" if name == "order" else "right")
    for one in leading:
        table.add_row(one.ranker, f"{one.owned_of_20:.3f}", f"{one.by_chance:.3f}")
    console.print(table)


def write(
    folder: Path, name: str, attacks: dict[str, list[Attack]], leading: list[Leading]
) -> Path:
    """Write privacy-<name>.json and .png into `folder`; returns the first."""
    from matplotlib.figure import Figure  # slow to import, and only needed here

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"privacy-{name}.json"
    content = {
        "dataset": name,
        "attacks": {of: [asdict(one) for one in some] for of, some in attacks.items()},
        "leading": [asdict(one) for one in leading],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    rows = [(f"{of}: {one.name}", one.auc) for of, some in attacks.items() for one in some]
    figure = Figure(figsize=(9.0, 1.0 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    means = [auc[0] for _, auc in rows]
    errors = [[auc[0] - auc[1] for _, auc in rows], [auc[2] - auc[0] for _, auc in rows]]
    axes.errorbar(means, range(len(rows)), xerr=errors, fmt="o", capsize=3)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.invert_yaxis()
    axes.axvline(0.5, color="tab:gray", linestyle="--", label="a guess")
    axes.set_xlim(0.45, 1.0)
    axes.set_xlabel("area under the attack's curve, 95 % interval")
    axes.legend(loc="lower right")
    figure.savefig(path.with_suffix(".png"), dpi=110)
    return path
