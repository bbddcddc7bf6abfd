"""What was measured: told line by line, and written anew after each line."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from loadtests.gpu.check.model.onnx_tower import MissingError
from loadtests.gpu.check.variants import LeftOutError, OutOfTime

MEASURED, FAILED, LEFT_OUT = "measured", "failed", "left out"
Row = dict[str, Any]
_REASON_CHARS = 300


class Report:
    """Rows by part. A row has what was tried, its `status`, and figures or the `reason`."""

    def __init__(self, path: Path, about: Mapping[str, Any], clock: "Clock") -> None:
        self.content: dict[str, Any] = {"about": dict(about), "parts": {}, "passed": None}
        self._path = path
        self._clock = clock

    def rows(self, part: str, status: str | None = MEASURED) -> list[Row]:
        """Of a part; status None: all."""
        rows: list[Row] = self.content["parts"].get(part, [])
        return [row for row in rows if status in (None, row["status"])]

    def tried(self, part: str, what: Mapping[str, Any], measure: Callable[[], Row]) -> Row:
        """A row of `part`: `what`, and what `measure` returns, or why it did not."""
        if self._clock.is_over():
            row: Row = {"status": LEFT_OUT, "reason": "the time of this part was used up"}
        else:
            try:
                row = {"status": MEASURED, **measure()}
            except (LeftOutError, MissingError) as error:
                row = {"status": LEFT_OUT, "reason": str(error)}
            except OutOfTime as error:
                row = {"status": FAILED, "reason": f"given up: {error}"}
            except Exception as error:  # one way must not end the others
                return self.failed(part, what, error)
        return self._add(part, {**what, **row})

    def failed(self, part: str, what: Mapping[str, Any], error: Exception) -> Row:
        """A row of what broke, with the reason."""
        with suppress(RuntimeError):  # a broken device fails here, too
            torch.cuda.empty_cache()
        return self._add(part, {**what, "status": FAILED, "reason": _reason(error)})

    def _add(self, part: str, row: Row) -> Row:
        self.content["parts"].setdefault(part, []).append(row)
        print(f"{self._clock.elapsed_s():4.0f} s  {part}: {line(row)}", flush=True)
        self.write()
        return row

    def left_s(self) -> float:
        """Of the part that runs."""
        return self._clock.left_s()

    def write(self) -> None:
        """The file as it stands now; a reader sees the old one or the new one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self.content, indent=1) + "\n")
        fresh.replace(self._path)


class Clock:
    """How long the whole may take, and how long the part that runs."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._start_s = time.monotonic()
        self._part_end_s = self._start_s + seconds

    def begin(self, share: float) -> None:
        """A part that may take this share of the whole; what others left over is not added."""
        end_s = self._start_s + self.seconds
        self._part_end_s = min(time.monotonic() + share * self.seconds, end_s)

    def elapsed_s(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start_s

    def left_s(self) -> float:
        """Of the part."""
        return self._part_end_s - time.monotonic()

    def is_over(self) -> bool:
        """Whether the part has had its time."""
        return self.left_s() <= 0


def line(row: Mapping[str, Any]) -> str:
    """A row as one line of text."""
    return "  ".join(f"{name} {_short(value)}" for name, value in row.items())


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table; a column for each name that any row has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    lines += [" | ".join(_short(row.get(name, "")) for name in names) for row in rows]
    return "".join(f"| {each} |\n" for each in lines)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:_REASON_CHARS]
