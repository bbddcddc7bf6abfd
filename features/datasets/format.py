"""The one folder format of a data set: items, events and, optionally, judged queries.

A folder holds `items.parquet` or `items.jsonl`, `events.parquet` or `events.jsonl`, optionally
`queries.parquet` or `queries.jsonl`, and optionally `dataset.json`. docs/data.md is its reference.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from features.datasets.event_rows import EVENT_COLUMNS
from features.events.event import EventType

ITEM_COLUMNS: dict[str, str] = {
    "item_id": "string",
    "title": "string",
    "description": "string",  # "" when there is none
    "category": "string",  # path, " > " between levels, "" when unknown
    "brand": "string",
    "price": "float64",  # NaN when unknown; as of the start of the log, never a later average
    "currency": "string",
    "created_at": "float64",  # unix seconds the item entered the catalogue; NaN: always there
}
QUERY_COLUMNS: dict[str, str] = {
    "query_id": "string",
    "query": "string",
    "item_id": "string",
    "gain": "float64",  # 0..1, what NDCG adds for this item at the top
}
# Columns that hold a time: RFC 3339 text and Parquet timestamps are welcome there too.
TIME_COLUMNS = frozenset({"at", "created_at"})
# Read without complaint and not carried: the catalogue API knows them, the data set does not.
IGNORED_COLUMNS = frozenset({"attributes", "image_url", "available"})


class DatasetError(Exception):
    """The folder cannot be used; the message is one line that names the file and what is wrong."""


class DatasetInfo(BaseModel):
    """`dataset.json`: where the data comes from and how it is replayed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str = ""
    licence: str = ""
    currency: str = ""
    # A historic log is moved by whole weeks so that it ends now: decay and "popular this week" then
    # mean in the demonstration what they mean in a live shop.
    replay: Literal["as_is", "shift_to_now"] = "as_is"
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """A loaded folder. Events are sorted by `at`; columns and types as in the tables above."""

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
    events = _table(folder, "events", EVENT_COLUMNS, required=("type", "at"))
    queries = (
        _table(folder, "queries", QUERY_COLUMNS, required=tuple(QUERY_COLUMNS))
        if _path(folder, "queries")
        else None
    )
    _check_items(folder, items)
    without_id = (events["event_id"] == "").to_numpy()
    if without_id.any():
        # Row numbers are stable for a file, so that a second import stays idempotent.
        events.loc[without_id, "event_id"] = [f"row-{row}" for row in np.flatnonzero(without_id)]
    _check_events(folder, events)
    if not events["at"].is_monotonic_increasing:
        events = events.sort_values("at", kind="stable", ignore_index=True)
    return Dataset(_info(folder), items, events, queries, folder)


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """Write the folder as Parquet (zstd); `items` and `events` in the order given."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(dataset.info.model_dump_json(indent=2) + "\n")
    tables = {"items": dataset.items, "events": dataset.events, "queries": dataset.queries}
    for name, table in tables.items():
        if table is not None:
            table.to_parquet(folder / f"{name}.parquet", compression="zstd", index=False)


def conform(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """The table with exactly `columns`, in their order and types; missing ones filled as empty.

    Whole numbers are welcome as ids (42 becomes "42"); nothing else is converted. Raises ValueError
    that names the column.
    """
    empty: dict[str, Any] = {"string": "", "float64": float("nan"), "int64": 0}
    out: dict[str, Any] = {}
    for name, dtype in columns.items():
        storage = object if dtype == "string" else np.dtype(dtype)
        if name not in table:
            out[name] = np.full(len(table), empty[dtype], dtype=storage)
        elif dtype == "string":
            out[name] = _text(name, table[name])
        else:
            out[name] = _number(name, table[name]).fillna(empty[dtype]).to_numpy(storage)
    return pd.DataFrame(out)


def _text(name: str, column: pd.Series) -> Any:
    missing = column.isna()
    if missing.any():
        column = column.astype(object).where(~missing, "")
    values = column.to_numpy(object)
    if pd.api.types.infer_dtype(values, skipna=False) not in ("string", "empty"):
        kinds = {type(value) for value in values}
        if not kinds <= {str, int}:
            wrong = sorted(kind.__name__ for kind in kinds - {str, int})[0]
            raise ValueError(f"column {name!r} holds {wrong} where text belongs")
        values = np.array([str(value) for value in values], dtype=object)
    return values


def _number(name: str, column: pd.Series) -> pd.Series:
    if name in TIME_COLUMNS and pd.api.types.infer_dtype(column, skipna=True) == "string":
        try:
            column = pd.to_datetime(column, utc=True, format="ISO8601")
        except ValueError as error:
            raise ValueError(f"column {name!r} holds text that is no RFC 3339 time") from error
    if name in TIME_COLUMNS and pd.api.types.is_datetime64_any_dtype(column):
        moments = pd.to_datetime(column, utc=True)
        return (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in ("integer", "floating", "mixed-integer-float", "empty"):
        raise ValueError(f"column {name!r} holds {kind} where a number belongs")
    return column.astype("float64") if column.dtype == object else column


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
        if column not in columns and column not in IGNORED_COLUMNS:
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


def _check_items(folder: Path, items: pd.DataFrame) -> None:
    if items.empty:
        raise DatasetError(f"{folder}/items: no items")
    if (items["item_id"] == "").any():
        row = int((items["item_id"] == "").to_numpy().argmax()) + 1
        raise DatasetError(f"{folder}/items: row {row} has no item_id")
    if items["item_id"].duplicated().any():
        twice = items["item_id"][items["item_id"].duplicated()].iloc[0]
        raise DatasetError(f"{folder}/items: item_id {twice!r} stands twice")
    if (items["price"] < 0).any() or np.isinf(items["price"]).any():
        raise DatasetError(f"{folder}/items: column 'price' holds a negative or infinite number")


def _check_events(folder: Path, events: pd.DataFrame) -> None:
    unknown = set(events["type"].unique()) - {str(kind) for kind in EventType}
    if unknown:
        raise DatasetError(f"{folder}/events: unknown type {sorted(unknown)[0]!r}")
    if not np.isfinite(events["at"]).all():
        row = int((~np.isfinite(events["at"])).to_numpy().argmax()) + 1
        raise DatasetError(f"{folder}/events: row {row} has no time in 'at'")
    without_item = (events["item_id"] == "") & (events["type"] != str(EventType.SEARCH))
    if without_item.any():
        row = int(without_item.to_numpy().argmax()) + 1
        raise DatasetError(f"{folder}/events: row {row} names no item_id and is no search")
    if events["event_id"].duplicated().any():
        twice = events["event_id"][events["event_id"].duplicated()].iloc[0]
        raise DatasetError(f"{folder}/events: event_id {twice!r} stands twice")


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
