"""docs/security.md names tests as proof: each of them exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+)`", PAGE.read_text())
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", text))
    there |= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) > 25
    assert [name for name in named if name not in there] == []


def test_every_threat_says_what_stops_it_and_which_test_shows_it() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("|") and not set(line) <= set("|-: ")
    ]
    heads = [row for row in rows if row[0] == "threat"]
    assert heads
    for row in rows:
        if row in heads:
            continue
        assert len(row) == 3, row
        assert all(row), row
        assert "`test_" in row[2] or row[2].startswith("none"), row
