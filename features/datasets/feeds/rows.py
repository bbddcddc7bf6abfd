"""Files of rows: CSV and TSV, JSON lines. Each row knows the line it begins on, for errors."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.datasets.format import DatasetError

DELIMITERS = ("\t", ";", ",", "|")
_LONGEST_CELL = 10_000_000  # characters: a description with pictures in it is long, not endless
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file; `values` by column, of a JSON object nested ones as they are."""

    path: Path
    line: int  # 1-based, where it begins
    values: dict[str, Any]

    def text(self, *columns: str) -> str:
        """The first of the columns that says something, as trimmed text; "" when none does."""
        for column in columns:
            value = self.values.get(column)
            if isinstance(value, list):
                value = value[0] if value else None
            if value is not None and not isinstance(value, dict) and (text := str(value).strip()):
                return text
        return ""

    def required(self, column: str) -> str:
        """`text`; raises DatasetError where it says nothing."""
        if text := self.text(column):
            return text
        raise self.error(column, "is empty")

    def error(self, column: str, what: str) -> DatasetError:
        """One line that names the file, the line and the column."""
        return DatasetError(f"{self.path}: line {self.line}: column {column!r} {what}")


def encoding_of(path: Path) -> str:
    """By the byte order mark; without one UTF-8."""
    with path.open("rb") as file:
        start = file.read(3)
    marks = (name for mark, name in _BYTE_ORDER_MARKS.items() if start.startswith(mark))
    return next(marks, "utf-8")


def header_of(path: Path, delimiter: str | None = None, encoding: str | None = None) -> list[str]:
    """The columns of a CSV or TSV file, trimmed. Raises DatasetError for none, or one twice."""
    header = next((cells for _, cells in _cells(path, delimiter, encoding)), [])
    names = [name.strip() for name in header]
    if not any(names):
        raise DatasetError(f"{path}: line 1: no header")
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise DatasetError(f"{path}: line 1: column {twice[0]!r} stands twice")
    return names


def csv_rows(
    path: Path, delimiter: str | None = None, encoding: str | None = None
) -> Iterator[Row]:
    """Rows below the header; blank lines are left out, missing cells at the end are "".

    delimiter, encoding: None: found out from the header and the byte order mark. Raises
    DatasetError for text in another encoding, and for a row that is longer than the header.
    """
    header = header_of(path, delimiter, encoding)
    rows = _cells(path, delimiter, encoding)
    next(rows)
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(header) :]):
            more = f"{len(cells)} cells, the header has {len(header)}"
            raise DatasetError(f"{path}: line {line}: {more}: is a delimiter not quoted?")
        padded = [*cells, *[""] * (len(header) - len(cells))]
        yield Row(path, line, dict(zip(header, padded, strict=False)))


def jsonl_rows(path: Path) -> Iterator[Row]:
    """One JSON object a line; blank lines are left out. Raises DatasetError."""
    for line, text in enumerate(_lines(path, encoding_of(path)), start=1):
        if not text.strip():
            continue
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            where = f"{path}: line {line}: column {error.colno}"
            raise DatasetError(f"{where}: not JSON ({error.msg}){_hint(text)}") from error
        if not isinstance(values, dict):
            raise DatasetError(f"{path}: line {line}: no JSON object{_hint(text)}")
        yield Row(path, line, values)


def _hint(text: str) -> str:
    array = text.lstrip().startswith("[")
    return "; make an array one object a line with: jq -c '.[]'" if array else ""


def _cells(
    path: Path, delimiter: str | None, encoding: str | None
) -> Iterator[tuple[int, Sequence[str]]]:
    encoding = encoding or encoding_of(path)
    csv.field_size_limit(_LONGEST_CELL)
    lines = _lines(path, encoding)
    if delimiter is None:
        delimiter = _delimiter(next(_lines(path, encoding), ""))
    # Merchant feeds of tabs quote nothing: a title of 24" is no open quotation.
    if delimiter == "\t" and not _quotes(path, encoding):
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, delimiter=delimiter)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(f"{path}: line {line}: {error}") from error


def _lines(path: Path, encoding: str) -> Iterator[str]:
    line = 0
    try:
        with path.open(encoding=encoding, newline="") as file:
            for line, text in enumerate(file, start=1):  # noqa: B007
                yield text
    except UnicodeError as error:
        # Decoded in blocks, so the line is where the block was taken up.
        where = f"{path}: line {_undecodable(path, encoding, line)}"
        raise DatasetError(f"{where}: not {encoding.upper()}: save it as UTF-8") from error


def _undecodable(path: Path, encoding: str, at_least: int) -> int:
    if encoding.startswith("utf-8"):
        with path.open("rb") as file:
            for line, text in enumerate(file, start=1):
                try:
                    text.decode("utf-8")
                except UnicodeDecodeError:
                    return line
    return at_least + 1


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count) if any(map(header.count, DELIMITERS)) else ","


def _quotes(path: Path, encoding: str) -> bool:
    """Whether the header quotes its cells: then the rows do too."""
    return next(_lines(path, encoding), "").lstrip().startswith('"')
