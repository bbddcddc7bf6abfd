"""The columns of a data set's tables, and tables of others brought into that form.

The events' own are derived from the event: features/datasets/event_rows.py.
"""

from typing import Any

import numpy as np
import pandas as pd

from features.datasets.item_details import attributes_column, flag_column

ITEM_COLUMNS: dict[str, str] = {
    "item_id": "string",
    "title": "string",
    "description": "string",  # "" when there is none
    "category": "string",  # path, " > " between levels, "" when unknown
    "brand": "string",
    "price": "float64",  # NaN when unknown; as of the start of the log, never a later average
    "currency": "string",
    "created_at": "float64",  # unix seconds the item entered the catalogue; NaN: always there
    "image_url": "url",
    "available": "bool",  # True when it is not said
    "attributes": "attributes",  # JSON text of an object of texts, "" for none: item_details.py
}
QUERY_COLUMNS: dict[str, str] = {
    "query_id": "string",
    "query": "string",
    "item_id": "string",
    "gain": "float64",  # 0..1, what NDCG adds for this item at the top
    # What follows may be missing.
    "kind": "string",  # what sort of query it is, to report on
    "language": "string",  # as in BCP 47, "" when unknown
    "split": "string",  # "dev" or "test", "" when there are no halves
}
NEEDED_QUERY_COLUMNS = ("query_id", "query", "item_id", "gain")
# Columns that hold a time: RFC 3339 text and Parquet timestamps are welcome there too.
TIME_COLUMNS = frozenset({"at", "created_at"})

_EMPTY: dict[str, Any] = {
    "string": "",
    "url": "",
    "float64": float("nan"),
    "int64": 0,
    "bool": True,
    "attributes": "",
}


def conform(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """The table with exactly `columns`, in their order and types; missing ones filled as empty.

    Whole numbers are welcome as ids (42 becomes "42"); nothing else is converted. Raises ValueError
    that names the column, and the row where it can.
    """
    out: dict[str, Any] = {}
    for name, dtype in columns.items():
        storage = object if _EMPTY[dtype] == "" else np.dtype(dtype)
        if name not in table:
            out[name] = np.full(len(table), _EMPTY[dtype], dtype=storage)
        elif dtype in ("string", "url"):
            out[name] = _text(name, table[name], {str} if dtype == "url" else {str, int})
        elif dtype == "attributes":
            out[name] = np.array(attributes_column(name, table[name].tolist()), storage)
        elif dtype == "bool":
            out[name] = np.array(flag_column(name, table[name].tolist(), _EMPTY[dtype]), storage)
        else:
            out[name] = _number(name, table[name]).fillna(_EMPTY[dtype]).to_numpy(storage)
    return pd.DataFrame(out)


def _text(name: str, column: pd.Series, welcome: set[type]) -> Any:
    missing = column.isna()
    if missing.any():
        column = column.astype(object).where(~missing, "")
    values = column.to_numpy(object)
    if pd.api.types.infer_dtype(values, skipna=False) not in ("string", "empty"):
        for row, value in enumerate(values, start=1):
            if type(value) not in welcome:
                kind = type(value).__name__
                raise ValueError(f"row {row}: column {name!r} holds {kind} where text belongs")
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
