"""Tables of any system, read as a mapping file says."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from features.catalog.item import Item
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.feeds.found import Found, Report
from features.datasets.feeds.log import finish, key_of
from features.datasets.feeds.mapping import FIELDS, Mapping
from features.datasets.feeds.rows import Row, csv_rows, header_of, jsonl_rows
from features.datasets.feeds.values import category_of, moment_of, plain_text, price_of, told
from features.datasets.format import DatasetError
from features.events.event import BehaviorEvent, EventType

_SOLD_OUT = frozenset(
    {"0", "false", "no", "n", "out of stock", "out_of_stock", "outofstock", "sold out"}
)
_KINDS = {str(kind): kind for kind in EventType}


def mapped_rows(path: Path, mapping: Mapping, lines: bool) -> Iterator[Row]:
    """The rows of the file, with columns that lie deeper brought up; `lines`: of JSON.

    Raises DatasetError for a column that the file does not have.
    """
    if not lines:
        header = header_of(path, mapping.delimiter, mapping.encoding)
        for column in mapping.named:
            if column not in header:
                raise DatasetError(f"{path}: line 1: no column {column!r}, which the mapping names")
        yield from csv_rows(path, mapping.delimiter, mapping.encoding)
        return
    unseen = set(mapping.named)
    for row in jsonl_rows(path):
        values = {column: _deep(row.values, column) for column in mapping.named}
        unseen -= {column for column, value in values.items() if value is not None}
        yield Row(path, row.line, values)
    if unseen:
        raise DatasetError(f"{path}: no line has {sorted(unseen)[0]!r}, which the mapping names")


def read_mapped(rows: Iterable[Row], mapping: Mapping, found: Found, report: Report) -> None:
    """Add the items or events of a mapped file."""
    events = []
    for row in rows:
        try:
            if mapping.kind == "items":
                found.add(_item(row, mapping), row, mapping.of("item_id")[0])
            elif event := _event(row, mapping, found):
                events.append(event)
        except DatasetError as problem:
            report(problem)
    finish(events, found)


def _item(row: Row, mapping: Mapping) -> Item:
    text = _texts(row, mapping)
    price, currency = float("nan"), ""
    if text["price"]:
        price, currency = _parsed(row, mapping, "price", price_of, text["price"], mapping.decimal)
    created_s = float("nan")
    if text["created_at"]:
        created_s = _parsed(
            row, mapping, "created_at", moment_of, text["created_at"], mapping.time_format
        )
    levels = [
        category_of(row.text(column), mapping.category_separator)
        for column in mapping.of("category")
    ] or [category_of(text["category"], mapping.category_separator)]
    sold_out = {each.casefold() for each in mapping.sold_out} or _SOLD_OUT
    return Item(
        item_id=_needed(row, mapping, "item_id", text),
        title=plain_text(text["title"]),
        description=plain_text(text["description"]),
        category=" > ".join(filter(None, levels)),
        brand=plain_text(text["brand"]),
        price=price,
        currency=mapping.constants.get("currency") or text["currency"] or currency,
        created_s=created_s,
        image_url=text["image_url"],
        available=text["available"].casefold() not in sold_out,
        attributes=told(
            {name: plain_text(row.text(column)) for name, column in mapping.attributes.items()}
        ),
    )


def _event(row: Row, mapping: Mapping, found: Found) -> BehaviorEvent | None:
    text = _texts(row, mapping)
    named = _needed(row, mapping, "type", text)
    kind = mapping.types.get(named) if mapping.types else _KINDS.get(named)
    if kind is None and mapping.types:
        found.skipped[f"events {named!r}"] += 1
        return None
    if kind is None:
        raise _error(row, mapping, "type", f"holds {named!r}: say in `types` which of ours it is")
    _needed(row, mapping, "at", text)
    text["item_id"] = found.resolve(text["item_id"])
    if not text["item_id"] and kind is not EventType.SEARCH:
        raise _error(row, mapping, "item_id", "is empty, and the event is no search")
    # A file of the same name, next month's, has other rows.
    own_id = f"{row.path.stem}-{row.line}-{key_of(*text.values())}"
    text["event_id"] = text["event_id"] or own_id
    values = {
        name: _value(row, mapping, name, dtype, text[name])
        for name, dtype in EVENT_COLUMNS.items()
        if text[name]
    }
    values["at_s"] = values.pop("at")
    return BehaviorEvent(**values | {"type": kind})


def _value(row: Row, mapping: Mapping, field: str, dtype: str, text: str) -> Any:
    if field == "at":
        return _parsed(row, mapping, field, moment_of, text, mapping.time_format)
    if dtype == "float64":  # money; that of a return may be written below 0
        return _parsed(row, mapping, field, price_of, text.lstrip("-"), mapping.decimal)[0]
    return _parsed(row, mapping, field, _whole, text) if dtype == "int64" else text


def _texts(row: Row, mapping: Mapping) -> dict[str, str]:
    """Each field's text: of its columns, or its constant, or ""."""
    return {
        field: " ".join(filter(None, (row.text(column) for column in mapping.of(field))))
        or mapping.constants.get(field, "")
        for field in FIELDS[mapping.kind]
    }


def _needed(row: Row, mapping: Mapping, field: str, text: dict[str, str]) -> str:
    if not text[field]:
        raise _error(row, mapping, field, "is empty")
    return text[field]


def _parsed(row: Row, mapping: Mapping, field: str, parse: Any, *given: Any) -> Any:
    try:
        return parse(*given)
    except ValueError as error:
        raise _error(row, mapping, field, str(error)) from error


def _error(row: Row, mapping: Mapping, field: str, what: str) -> DatasetError:
    columns = mapping.of(field)
    return row.error(columns[0] if columns else field, what)


def _whole(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"holds {text[:40]!r} where a whole number belongs")
    return int(text)


def _deep(values: Any, column: str) -> Any:
    """`values["a.b"]`, or `values["a"]["b"]`."""
    if not isinstance(values, dict) or column in values:
        return values.get(column) if isinstance(values, dict) else None
    first, _, rest = column.partition(".")
    return _deep(values.get(first), rest) if rest else None
