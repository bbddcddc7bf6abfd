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
    items = _table(folder, "items", ITEM_COLUMNS, required=("item_id", "title"))
    events = (
        _table(folder, "events", EVENT_COLUMNS, required=("type", "at"))
        if _path(folder, "events")
        else _no_events(folder)
    )
    queries = (
        _table(folder, "queries", QUERY_COLUMNS, required=NEEDED_QUERY_COLUMNS)
        if _path(folder, "queries")
        else None
    )
    _check(f"{folder}/items", check_items, items)
    info = _info(folder)
    for currency in items["currency"].unique():
        if problem := info.prices.problem(currency):
            raise DatasetError(f"{folder}/items: column 'currency': {problem}")
    without_id = (events["event_id"] == "").to_numpy()
    if without_id.any():
        # Row numbers are stable for a file, so that a second import stays idempotent.
        events.loc[without_id, "event_id"] = [f"row-{row}" for row in np.flatnonzero(without_id)]
    _check(f"{folder}/events", check_events, events)
    if not events["at"].is_monotonic_increasing:
        events = events.sort_values("at", kind="stable", ignore_index=True)
    return Dataset(info, items, events, queries, folder)


def require_events(dataset: Dataset, why: str) -> None:
    """Raises DatasetError, which names the file and says `why`, for a data set without events."""
    if not dataset.events.empty:
        return
    path = _path(dataset.folder, "events")
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


def _no_events(folder: Path) -> pd.DataFrame:
    """The events of a folder without them; a file that was meant to be them is not overlooked."""
    for path in sorted(folder.iterdir()):
        if path.name.lower().startswith("event"):
            raise DatasetError(f"{path}: not read: call it events.parquet or events.jsonl")
    return conform(pd.DataFrame(), EVENT_COLUMNS)


def _path(folder: Path, name: str) -> Path | None:
    for suffix in (".parquet", ".jsonl"):
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    return None


def _table(
    folder: Path, name: str, columns: dict[str, str], required: tuple[str, ...]
) -> pd.DataFrame:
    path = _path(folder, name)
    if path is None:
        raise DatasetError(f"{folder}: neither {name}.parquet nor {name}.jsonl is there")
    table = _parquet(path) if path.suffix == ".parquet" else _jsonl(path)
    for column in table.columns:
        if column not in columns:
            raise DatasetError(f"{path}: unknown column {column!r}")
    for column in required:
        # An empty .jsonl has no columns at all and is simply a table without rows.
        if column not in table and not (table.empty and path.suffix == ".jsonl"):
            raise DatasetError(f"{path}: column {column!r} is missing")
    try:
        return conform(table, columns)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error


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


def _info(folder: Path) -> DatasetInfo:
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
