"""What an item may say of itself besides its text and price: attributes, a picture, a stock flag.

Few data sets have them. A table holds the attributes as JSON text, so that its rows can be compared
and hashed; what is written leaves out a column that says nothing.
"""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

_SILENT: dict[str, object] = {"attributes": "", "image_url": "", "available": True}


def attributes_text(attributes: dict[str, str]) -> str:
    """The attributes as a table holds them; "" for none."""
    return json.dumps(attributes, ensure_ascii=False) if attributes else ""


def attributes_of(text: str) -> dict[str, str]:
    """What `attributes_text` was given."""
    return dict(json.loads(text)) if text else {}


def attributes_column(name: str, values: Iterable[Any]) -> list[str]:
    """Objects, Parquet's maps (lists of pairs) and structs, or JSON text, as `attributes_text`.

    A value that is missing is no attribute. Raises ValueError that names the row and the attribute.
    """
    return [_attributes(name, row, value) for row, value in enumerate(values, start=1)]


def flag_column(name: str, values: Iterable[Any], default: bool) -> list[bool]:
    """True and false, `default` where it is missing; raises ValueError that names the row."""
    flags = []
    for row, value in enumerate(values, start=1):
        if not _missing(value) and not isinstance(value, bool):
            kind = type(value).__name__
            raise ValueError(f"row {row}: column {name!r} holds {kind} where true or false belongs")
        flags.append(default if _missing(value) else value)
    return flags


def telling(items: pd.DataFrame) -> pd.DataFrame:
    """Items without those of these columns that say nothing of any item."""
    silent = [
        name
        for name, nothing in _SILENT.items()
        if name in items and bool((items[name] == nothing).all())
    ]
    return items.drop(columns=silent)


def _attributes(name: str, row: int, value: Any) -> str:
    if _missing(value) or value == "":
        return ""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"row {row}: column {name!r} holds text that is no JSON") from error
    elif isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):
        value = dict(value)
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise ValueError(f"row {row}: column {name!r} holds {kind} where an object belongs")
    found = {key: told for key, told in value.items() if not _missing(told)}
    for key, told in found.items():
        if not isinstance(key, str) or not isinstance(told, str):
            kind = type(told if isinstance(key, str) else key).__name__
            raise ValueError(f"row {row}: column {name!r}: {key!r} holds {kind} where text belongs")
    return attributes_text(found)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)
