"""Rooms stay rooms: of a size that can be looked through, without cycles, as the map has them."""

import ast
import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAP = (ROOT / "docs" / "architecture.md").read_text()
TOPS = ("serving", "features", "loadtests", "helm")
MAX_MODULES, MAX_LINES, MAX_LAYERS, MAX_STOPS = 14, 250, 9, 12


def modules(*tops: str) -> list[Path]:
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))


def section(title: str) -> str:
    """Of docs/architecture.md."""
    return MAP.split(f"\n## {title}\n")[1].split("\n## ")[0]


def exceptions() -> set[str]:
    rows = re.findall(r"^\| `([^`]+)` \| (\d+)", section("Rooms"), re.MULTILINE)
    return {name for name, _ in rows}


def test_no_module_is_longer_than_can_be_read_at_once_but_those_with_a_reason() -> None:
    long = {
        path.relative_to(ROOT).as_posix()
        for path in modules(*TOPS)
        if len(path.read_text().splitlines()) > MAX_LINES
    }
    assert long == {name for name in exceptions() if name.endswith(".py")}


def test_no_folder_holds_more_modules_than_can_be_looked_through() -> None:
    crowded = {
        folder.relative_to(ROOT).as_posix() + "/"
        for folder in {path.parent for path in modules(*TOPS, "tests")}
        if len([path for path in folder.glob("*.py") if path.stem != "__init__"]) > MAX_MODULES
    }
    assert crowded == {name for name in exceptions() if name.endswith("/")}


@pytest.mark.parametrize("top", ["serving", "features", "serving/training"])
def test_no_two_rooms_import_each_other_round_about(top: str) -> None:
    """A room is a folder of `top`, or a module that lies in `top` itself."""
    package = top.replace("/", ".")
    knows: dict[str, set[str]] = {}
    for path in modules(top):
        room = path.relative_to(ROOT / top).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
                other = str(node.module)[len(package) + 1 :].split(".")[0]
                if other != room:
                    knows.setdefault(room, set()).add(other)
    while leaves := {room for room, others in knows.items() if not others & knows.keys()}:
        for room in leaves:
            del knows[room]
    assert knows == {}, "a cycle among these"


def test_the_layers_are_few_enough_to_be_remembered() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [contract["layers"] for contract in contracts["contracts"] if "layers" in contract]
    assert len(layers) == 3
    assert all(len(each) <= MAX_LAYERS for each in layers)


def stops(title: str) -> list[str]:
    numbered = re.findall(r"^(\d+)\. `([^`]+)`", section(title), re.MULTILINE)
    numbers = [int(number) for number, _ in numbered]
    assert numbers[0] == 1
    assert all(b == a + 1 for a, b in pairwise(numbers))
    return [name for _, name in numbered]


def test_the_tours_name_files_that_are_there_each_once_and_few() -> None:
    request, event = stops("A request, file by file"), stops("An event, file by file")
    for tour in (request, event):
        assert 5 < len(tour) <= MAX_STOPS
        assert [name for name in tour if not (ROOT / name).is_file()] == []
    assert len({*request, *event}) == len(request) + len(event)


def test_the_map_names_every_room() -> None:
    for top in ("serving", "features"):
        for path in (ROOT / top).iterdir():
            if path.is_dir() and any(path.glob("*.py")):
                assert f"`{path.name}/`" in section("Rooms"), path
