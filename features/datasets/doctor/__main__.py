"""Say what hurts most in a shop's data: python -m features.datasets.doctor SOURCE."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from features.datasets.doctor.event_checks import check_log
from features.datasets.doctor.findings import Finding, Severity, worst_first
from features.datasets.doctor.guess import as_yaml, guess
from features.datasets.doctor.item_checks import check_catalogue
from features.datasets.doctor.running import check_stack
from features.datasets.feeds.files import Kind, Reading, Source, read_sources, sources_of
from features.datasets.feeds.mapping import mapping_path
from features.datasets.format import DatasetError
from features.datasets.registry import load

_COLORS = {Severity.SEVERE: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


@dataclass(slots=True)
class Diagnosis:
    """What was read, what hurts, and mapping files that are proposed, by where they belong."""

    read: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    mappings: dict[Path, str] = field(default_factory=dict)

    @property
    def severe(self) -> bool:
        """Whether search or ranking cannot do its work."""
        return any(finding.severity is Severity.SEVERE for finding in self.findings)


def main(arguments: list[str]) -> int:
    """0 when nothing is severe, else 1."""
    parser = argparse.ArgumentParser(prog="python -m features.datasets.doctor", description=__doc__)
    parser.add_argument("source", help='a file, a folder, "grocery" or "simulated"')
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--url", help="of a running stack, to be asked too")
    parser.add_argument("--key", default="dev", help="of the running stack")
    parser.add_argument("--cache", type=Path, default=Path(".vitrine/datasets"))
    options = parser.parse_args(arguments)
    diagnosis = examine(options.source, options.cache, time.time())
    if options.url:
        diagnosis.findings += check_stack(options.url, options.key)
        diagnosis.read.append(f"{options.url}: asked")
    diagnosis.findings = worst_first(diagnosis.findings)
    if options.json:
        print(as_json(diagnosis))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = 140  # a file or a pipe has no width of its own
        show(diagnosis, console)
    return int(diagnosis.severe)


def examine(source: str, cache: Path, now_s: float) -> Diagnosis:
    """Read what `source` names as far as it can be read, and check it."""
    diagnosis = Diagnosis()
    try:
        if Path(source).exists():
            diagnosis.findings += _of_files(Path(source), diagnosis, now_s)
        else:
            dataset = load(source, cache)
            diagnosis.read.append(_counts(source, len(dataset.items), len(dataset.events)))
            as_is = dataset.info.replay == "as_is"
            diagnosis.findings += check_catalogue(dataset.items, dataset.info.prices)
            diagnosis.findings += check_log(dataset.items, dataset.events, now_s, as_is)
    except DatasetError as error:
        diagnosis.findings.append(Finding(Severity.SEVERE, "cannot be read", 1, 1, str(error)))
    return diagnosis


def _of_files(source: Path, diagnosis: Diagnosis, now_s: float) -> Iterator[Finding]:
    sources, strange = sources_of(source)
    ours = any(each.kind is Kind.ITEMS for each in sources)
    for path in strange:
        if ours:
            yield Finding(Severity.NOTE, "a file that is not read", 1, 1, path.name)
            continue
        mapping = guess(path)
        advice = "write a mapping file (docs/data.md)"
        if mapping:
            proposed = mapping_path(path)
            diagnosis.mappings[proposed] = as_yaml(mapping)
            advice = f"the mapping below, saved as {proposed.name}; it is read so here"
            kind = Kind.MAPPED_ITEMS if mapping.kind == "items" else Kind.MAPPED_EVENTS
            sources.append(Source(path, kind, mapping))
        yield Finding(Severity.SEVERE, "a file of no known system", 1, 1, path.name, advice)
    problems: list[DatasetError] = []
    reading = read_sources(source, sources, problems.append)
    diagnosis.read += [f"{each.path.name}: {each.kind}" for each in sources]
    diagnosis.read.append(_counts(reading.info.name, len(reading.items), len(reading.events)))
    if problems:
        total = len(problems) + len(reading.items) + len(reading.events)
        yield Finding(
            Severity.SEVERE, "rows that cannot be read", len(problems), total, str(problems[0]),
            "nothing is imported while there is one",
        )  # fmt: skip
    yield from _left_out(reading)
    yield from check_catalogue(reading.items, reading.info.prices)
    yield from check_log(reading.items, reading.events, now_s, reading.info.replay == "as_is")


def _left_out(reading: Reading) -> Iterator[Finding]:
    total = len(reading.items) + len(reading.events) + reading.found.skipped.total()
    for what, count in reading.found.skipped.most_common():
        yield Finding(Severity.NOTE, f"left out: {what}", count, total)


def _counts(name: str, n_items: int, n_events: int) -> str:
    return f"{name}: {n_items:,} items, {n_events:,} events"


def as_json(diagnosis: Diagnosis) -> str:
    """The diagnosis as a JSON object."""
    findings = [
        asdict(finding) | {"severity": finding.severity.name.lower()}
        for finding in diagnosis.findings
    ]
    mappings = {str(path): text for path, text in diagnosis.mappings.items()}
    content = {
        "severe": diagnosis.severe,
        "read": diagnosis.read,
        "findings": findings,
        "mappings": mappings,
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def show(diagnosis: Diagnosis, console: Console) -> None:
    """What was read, the findings as a table, then the mapping files."""
    for line in diagnosis.read:
        console.print(line, markup=False)
    table = Table("", "what", "of", "for example", "what to do")
    table.columns[2].justify = "right"
    for finding in diagnosis.findings:
        share = f"{finding.count:,} ({finding.share:.0%})" if finding.total > 1 else ""
        color = _COLORS[finding.severity]
        name = f"[{color}]{finding.severity.name.lower()}[/]"
        table.add_row(name, *map(_literal, (finding.what, share, finding.example, finding.advice)))
    console.print(table if diagnosis.findings else "nothing hurts")
    for path, text in diagnosis.mappings.items():
        console.print(f"\n{path}:\n\n{text}", markup=False, soft_wrap=True)


def _literal(text: str) -> str:
    return text.replace("[", "\\[")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
