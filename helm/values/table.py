"""The table of helm/README.md: every value with its default and the comment above it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from helm.tools.paths import CHART

README = CHART / "README.md"
_VALUES = CHART / "values.yaml"
_BEGIN, _END = "<!-- values: written by `make manifests` -->", "<!-- end of values -->"


def table() -> str:
    """Markdown rows in the order of values.yaml."""
    text = _VALUES.read_text()
    leaves = _leaves(yaml.compose(text), yaml.safe_load(text), text.splitlines())
    rows = [f"| `{name}` | `{json.dumps(value)}` | {note} |" for name, value, note in leaves]
    return "\n".join(["| value | default | |", "|---|---|---|", *rows])


def with_table(readme: str) -> str:
    """`readme` with the table between its marks."""
    before, _, rest = readme.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    assert mark, f"{README} has no marks for the table"
    return f"{before}{_BEGIN}\n{table()}\n{_END}{after}"


def _leaves(
    node: Any, values: Any, lines: list[str], path: str = "", above: str = ""
) -> Iterator[tuple[str, Any, str]]:
    """Path, default and comment. A mapping in braces is one value; the comment of a group goes to
    its first value.
    """
    for key, value in node.value:
        name, default = f"{path}{key.value}", values[key.value]
        note = " ".join(part for part in (above, _comment(lines, key.start_mark.line)) if part)
        above = ""
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from _leaves(value, default, lines, f"{name}.", note)
        else:
            yield name, default, note


def _comment(lines: list[str], line: int) -> str:
    """The comment lines directly above `line`."""
    above: list[str] = []
    while line > 0 and (match := re.match(r"\s*# ?(?:-- )?(.*)", lines[line - 1])):
        above.insert(0, match[1])
        line -= 1
    return " ".join(above).replace("|", "\\|")


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
