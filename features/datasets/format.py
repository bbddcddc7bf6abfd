"""The one folder format of a data set: items and, optionally, events and judged queries.

A folder holds `items.parquet` or `items.jsonl`, optionally `events` and `queries` in either form,
and optionally `dataset.json`. docs/data.md is its reference.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveFloat, ValidationError, model_validator

from features.catalog.prices import Currency, Prices
from features.datasets.checks import check_events, check_items
from features.datasets.columns import ITEM_COLUMNS, NEEDED_QUERY_COLUMNS, QUERY_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.item_details import telling

# The columns of each table, and those that must be there.
_TABLES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "items": (ITEM_COLUMNS, ("item_id", "title")),
    "events": (EVENT_COLUMNS, ("type", "at")),
    "queries": (QUERY_COLUMNS, NEEDED_QUERY_COLUMNS),
}


class DatasetError(Exception):
    """The folder cannot be used; the message is one line that names the file and what is wrong."""


class DatasetInfo(BaseModel):
    """`dataset.json`: where the data comes from and how it is replayed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str = ""
    licence: str = ""
    currency: Currency | Literal[""] = ""  # that prices are compared in
    rates: dict[Currency, PositiveFloat] = {}  # what others are worth in it
    # A historic log is moved by whole weeks so that it ends now: decay and "popular this week" then
    # mean in the demonstration what they mean in a live shop.
    replay: Literal["as_is", "shift_to_now"] = "as_is"
    simulated: bool = False

    @property
    def prices(self) -> Prices:
        """How prices compare."""
        return Prices(currency=self.currency, rates=self.rates)

    @model_validator(mode="after")
    def _prices_fit(self) -> Self:
        _ = self.prices
        return self


@dataclass(frozen=True, slots=True)
class Dataset:
    """A loaded folder. Events are sorted by `at`; columns as in columns.py and event_rows.py.

    A shop that begins has no events: then the table is empty.
    """

    info: DatasetInfo
    items: pd.DataFrame
    events: pd.DataFrame
    queries: pd.DataFrame | None = None
    folder: Path = field(default=Path())


def read_dataset(folder: Path) -> Dataset:
    """Read and check a folder; raises DatasetError with one clear line."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    items, queries = (_read(folder, name) for name in ("items", "queries"))
    if items is None:
        raise DatasetError(f"{folder}: neither items.parquet nor items.jsonl is there")
    events = _read(folder, "events")
    if events is None:
        _refuse_similar_names(folder)
    return checked(read_info(folder), items, events, queries, folder)


def read_table(path: Path, name: str) -> pd.DataFrame:
    """The Parquet file or JSON lines of "items", "events" or "queries"; raises DatasetError."""
    columns, required = _TABLES[name]
    table = _parquet(path) if path.suffix == ".parquet" else _jsonl(path)
    for column in table.columns:
        if column not in columns:
            raise DatasetError(f"{path}: unknown column {column!r}")
    for column in required:
        # An empty .jsonl has no columns at all and is simply a table without rows.
        if column not in table and not (table.empty and path.suffix != ".parquet"):
            raise DatasetError(f"{path}: column {column!r} is missing")
    try:
        return conform(table, columns)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error


def own_table(folder: Path, name: str) -> Path | None:
    """The file of a table of ours in a folder; None when it is not there."""
    for suffix in (".parquet", ".jsonl"):
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    return None


def checked(
    info: DatasetInfo,
    items: pd.DataFrame,
    events: pd.DataFrame | None,
    queries: pd.DataFrame | None,
    where: Path,
) -> Dataset:
    """The tables as a data set: checked, every event with an id, in order of time.

    Raises DatasetError that names `where` and the table.
    """
    if events is None:
        events = conform(pd.DataFrame(), EVENT_COLUMNS)
    _check(f"{where}/items", check_items, items)
    for currency in items["currency"].unique():
        if problem := info.prices.problem(currency):
            raise DatasetError(f"{where}/items: column 'currency': {problem}")
    without_id = (events["event_id"] == "").to_numpy()
    if without_id.any():
        # The same for the same row of a file that has grown, so that a second import adds nothing;
        # another for that row of another file, which would be taken for the first.
        contents = pd.util.hash_pandas_object(events[without_id], index=False)
        rows = zip(np.flatnonzero(without_id), contents, strict=True)
        events.loc[without_id, "event_id"] = [f"row-{row}-{told:016x}" for row, told in rows]
    _check(f"{where}/events", check_events, events)
    if not events["at"].is_monotonic_increasing:
        events = events.sort_values("at", kind="stable", ignore_index=True)
    return Dataset(info, items, events, queries, where)


def require_events(dataset: Dataset, why: str) -> None:
    """Raises DatasetError, which names the file and says `why`, for a data set without events."""
    if not dataset.events.empty:
        return
    path = own_table(dataset.folder, "events")
    names = "neither events.parquet nor events.jsonl is there"
    raise DatasetError(f"{path}: no event; {why}" if path else f"{dataset.folder}: {names}; {why}")


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """Write the folder as Parquet (zstd); `items` and `events` in the order given.

    A column of details (item_details.py) that says nothing of any item is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(dataset.info.model_dump_json(indent=2) + "\n")
    tables = {"items": telling(dataset.items), "events": dataset.events, "queries": dataset.queries}
    for name, table in tables.items():
        if table is not None:
            table.to_parquet(folder / f"{name}.parquet", compression="zstd", index=False)


def _read(folder: Path, name: str) -> pd.DataFrame | None:
    path = own_table(folder, name)
    return read_table(path, name) if path else None


def _refuse_similar_names(folder: Path) -> None:
    """A file that was meant to be the events is not overlooked."""
    for path in sorted(folder.iterdir()):
        if path.name.lower().startswith("event"):
            raise DatasetError(f"{path}: not read: call it events.parquet or events.jsonl")


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow raises several unrelated kinds for a broken file
        raise DatasetError(f"{path}: cannot be read as Parquet ({type(error).__name__})") from error


def _jsonl(path: Path) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DatasetError(f"{path}: line {number} is not JSON") from error
            if not isinstance(row, dict):
                raise DatasetError(f"{path}: line {number} is no JSON object")
            rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    # Objects, not inferred types: a whole-number id must not become 42.0 where one row lacks it.
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names}
    )


def _check(where: str, check: Callable[[pd.DataFrame], None], table: pd.DataFrame) -> None:
    try:
        check(table)
    except ValueError as error:
        raise DatasetError(f"{where}: {error}") from error


def read_info(folder: Path) -> DatasetInfo:
    """`dataset.json`, or the folder's name alone; raises DatasetError."""
    path = folder / "dataset.json"
    if not path.is_file():
        return DatasetInfo(name=folder.name)
    try:
        return DatasetInfo.model_validate(json.loads(path.read_text()))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}: not JSON") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DatasetError(f"{path}: {where}: {first['msg']}") from error
