"""The table of docs/compat.md, written from what clients told (tests/clients/rerank)."""

import re
from collections.abc import Iterable
from pathlib import Path

Told = dict[str, str]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compat.md"
_TABLE = re.compile(r"^\| client \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)


def written(page: str, told: Iterable[Told]) -> str:
    """`page` with a table of what was told: each has client, version, call, case and result."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for each in told:
        row = rows.setdefault((each["client"], each["version"], each["call"]), {})
        row[each["case"]] = each["result"]
    cases = list(next(iter(rows.values())))
    lines = [["client", "version", "call", *cases]]
    lines.append(["---"] * len(lines[0]))
    for (client, version, call), results in rows.items():
        lines.append([client, version, f"`{call}`", *(results[case] for case in cases)])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return _TABLE.sub(lambda _: table, page)
