"""The kinds of values in the columns of feature rows: how each is declared, stored and read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Array, Bytes, FeastType, Float32, Float64, Int64, String


@dataclass(frozen=True, slots=True)
class ColumnKind:
    """One kind of value, in Feast's views, in Parquet, and as Feast's protobuf online."""

    feast_type: FeastType
    arrow_type: pa.DataType
    write: Callable[[Any], Value]
    read: Callable[[Value], Any]


def _list_writer(field: str) -> Callable[[Any], Value]:
    def write(values: Any) -> Value:
        made = Value()  # not from a list message of its own, which would be copied into it
        getattr(made, field).val.extend(values)
        return made

    return write


# By the names that features.behavior.state_rows gives them: it does not import Feast.
# An empty list stays an empty list: a Value without content would mean that the row is not there.
COLUMN_KINDS: dict[str, ColumnKind] = {
    "float64": ColumnKind(
        Float64,
        pa.float64(),
        lambda value: Value(double_val=value),
        lambda value: value.double_val,
    ),
    "int64": ColumnKind(
        Int64,
        pa.int64(),
        lambda value: Value(int64_val=value),
        lambda value: value.int64_val,
    ),
    "bytes": ColumnKind(
        Bytes,
        pa.binary(),
        lambda value: Value(bytes_val=value),
        lambda value: value.bytes_val,
    ),
    "string": ColumnKind(
        String,
        pa.string(),
        lambda value: Value(string_val=value),
        lambda value: value.string_val,
    ),
    "float64 list": ColumnKind(
        Array(Float64),
        pa.list_(pa.float64()),
        _list_writer("double_list_val"),
        lambda value: value.double_list_val.val,
    ),
    "float32 list": ColumnKind(
        Array(Float32),
        pa.list_(pa.float32()),
        _list_writer("float_list_val"),
        lambda value: value.float_list_val.val,
    ),
    "int64 list": ColumnKind(
        Array(Int64),
        pa.list_(pa.int64()),
        _list_writer("int64_list_val"),
        lambda value: value.int64_list_val.val,
    ),
    "string list": ColumnKind(
        Array(String),
        pa.list_(pa.string()),
        _list_writer("string_list_val"),
        lambda value: value.string_list_val.val,
    ),
}
