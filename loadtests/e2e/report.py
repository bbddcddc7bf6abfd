"""Results as a table, and as docs/cluster.md."""

from pathlib import Path

from rich.table import Table

from loadtests.e2e.scenario import Result

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
_BEGIN, _END = "<!-- results: written by `make e2e` -->", "<!-- end of results -->"
COLUMNS = ("phase", "s", "sent", "by the model", "failed", "rejected", "hanging", "worst ms")


def rows(results: list[Result]) -> list[tuple[str, ...]]:
    """A row for each phase, as in COLUMNS."""
    return [
        (
            phase.name,
            str(phase.seconds),
            str(phase.sent),
            str(phase.routes["model"]),
            str(sum(phase.failed.values())),
            str(sum(phase.rejected.values())),
            str(phase.hanging),
            str(phase.worst_ms),
        )
        for result in results
        for phase in result.phases
    ]


def table(results: list[Result]) -> Table:
    """For a terminal."""
    shown = Table()
    for column in COLUMNS:
        shown.add_column(column, justify="left" if column == "phase" else "right")
    for row in rows(results):
        shown.add_row(*row)
    return shown


def write_page(results: list[Result]) -> None:
    """The tables of docs/cluster.md, between their marks."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows(results)]
    lines += ["", "| scenario | seen |", "|---|---|"]
    for result in results:
        seen = ", ".join(f"{name}: {value}" for name, value in result.facts.items())
        lines += [f"| {result.name} | {seen} |"] if seen else []
    text = PAGE.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    assert mark, f"{PAGE} has no marks for the results"
    PAGE.write_text(f"{before}{_BEGIN}\n" + "\n".join(lines) + f"\n{_END}{after}")
