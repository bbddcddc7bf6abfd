"""`make help` tells of every target, by task."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
GROUPS = ["Run", "Bring your shop", "Train and publish", "Measure", "Cluster", "Develop"]


def help_lines() -> list[str]:
    command = ["make", "--no-print-directory", "-s", "help"]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def told() -> list[str]:
    """The targets that `make help` lists: names without `=`, two spaces in."""
    rows = (re.match(r"  ([a-z0-9-]+) ", line) for line in help_lines())
    return [row[1] for row in rows if row]


def test_every_phony_target_is_listed_once_and_no_other() -> None:
    phony = [
        name for line in re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.M) for name in line.split()
    ]
    assert sorted(told()) == sorted(phony)


def test_every_listed_target_exists() -> None:
    assert set(told()) <= set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.M))


def test_the_groups_stand_in_the_order_of_a_shops_life() -> None:
    heads = [line for line in help_lines() if line and not line.startswith(" ")]
    assert heads[:-1] == GROUPS


def test_help_fits_a_terminal_of_a_hundred_columns() -> None:
    assert max(map(len, help_lines())) <= 100


def test_every_variable_a_target_names_is_used_by_the_makefile() -> None:
    named = set(re.findall(r"\b([A-Z][A-Z0-9_]+)=", "\n".join(help_lines())))
    used = set(re.findall(r"\$\(([A-Z][A-Z0-9_]+)[):]|\$\(if \$\(([A-Z][A-Z0-9_]+)\)", MAKEFILE))
    assert named <= {name for pair in used for name in pair}


def test_make_test_knows_every_folder_of_tests_once() -> None:
    told = re.findall(r"^(?:ON_THE_STACK|WITHOUT_IT) = (.*)", MAKEFILE, re.M)
    named = sorted(name for line in told for name in line.split())
    tests = ROOT / "tests"
    parents = {file.parent.relative_to(tests).as_posix() for file in tests.rglob("test_*.py")}
    known = {
        name: [place for place in parents if f"{place}/".startswith(f"{name}/")] for name in named
    }
    assert sorted(place for places in known.values() for place in places) == sorted(parents)
