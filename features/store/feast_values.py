"""Feast's protobuf values of the column kinds that our views use."""

from collections.abc import Callable
from typing import Any

from feast.protos.feast.types.Value_pb2 import (
    DoubleList,
    FloatList,
    Int64List,
    StringList,
    Value,
)

# An empty list stays an empty list: a Value without content would mean that the row is not there.
WRITERS: dict[str, Callable[[Any], Value]] = {
    "float64": lambda value: Value(double_val=value),
    "int64": lambda value: Value(int64_val=value),
    "float64 list": lambda value: Value(double_list_val=DoubleList(val=value)),
    "float32 list": lambda value: Value(float_list_val=FloatList(val=value)),
    "int64 list": lambda value: Value(int64_list_val=Int64List(val=value)),
    "string list": lambda value: Value(string_list_val=StringList(val=value)),
}
READERS: dict[str, Callable[[Value], Any]] = {
    "float64": lambda value: value.double_val,
    "int64": lambda value: value.int64_val,
    "float64 list": lambda value: value.double_list_val.val,
    "float32 list": lambda value: value.float_list_val.val,
    "int64 list": lambda value: value.int64_list_val.val,
    "string list": lambda value: value.string_list_val.val,
}
