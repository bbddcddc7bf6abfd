"""A mapping file: which column of a table is which of ours. `shop.mapping.yaml` for `shop.csv`."""

import codecs
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.datasets.columns import ITEM_COLUMNS
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import DatasetError
from features.events.event import EventType

SUFFIX = ".mapping.yaml"
FIELDS = {"items": {*ITEM_COLUMNS} - {"attributes"}, "events": {*EVENT_COLUMNS}}
_NEEDED = {"items": ("item_id", "title"), "events": ("type", "at")}
Column = Annotated[str, Field(min_length=1)]


class Mapping(BaseModel):
    """docs/data.md is the reference. Columns of JSON lines may lie deeper: "product.id"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["items", "events"]
    columns: dict[str, Column | list[Column]]  # of several the texts are joined
    attributes: dict[str, Column] = {}
    constants: dict[str, str] = {}
    category_separator: Annotated[str, Field(min_length=1)] = ">"
    decimal: Literal[".", ","] | None = None  # None: guessed price by price
    sold_out: list[str] = []  # texts of `available` that mean it; the usual ones when empty
    time_format: str | None = None  # as of strptime; RFC 3339 and unix times need none
    types: dict[str, EventType] = {}  # of events: theirs to ours; others are left out
    delimiter: Annotated[str, Field(pattern=r'^[^\w"\r\n]$')] | None = None
    encoding: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Mapping":
        given = {*self.columns, *self.constants}
        if strange := sorted(given - FIELDS[self.kind]):
            raise ValueError(f"{self.kind} have no field {strange[0]!r}")
        if self.kind == "items" and "item_id" in self.constants:
            raise ValueError("item_id cannot be a constant")
        if missing := [name for name in _NEEDED[self.kind] if name not in given]:
            raise ValueError(f"{self.kind} need {missing[0]!r} in columns or constants")
        if self.encoding and not _is_encoding(self.encoding):
            raise ValueError(f"encoding: nobody knows {self.encoding!r}")
        if self.kind == "events" and self.attributes:
            raise ValueError("events have no attributes")
        return self

    def of(self, field: str) -> list[str]:
        """The columns of a field; none when it has a constant or nothing."""
        named = self.columns.get(field, [])
        return [named] if isinstance(named, str) else named

    @property
    def named(self) -> list[str]:
        """All their columns that are used."""
        fields = [column for field in self.columns for column in self.of(field)]
        return [*fields, *self.attributes.values()]


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def mapping_path(path: Path) -> Path:
    """Where the mapping file of a table lies."""
    return path.with_name(path.name.removesuffix(path.suffix) + SUFFIX)


def read_mapping(path: Path) -> Mapping:
    """Raises DatasetError, one line that names what is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Mapping.model_validate(content)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DatasetError(f"{path}: line {line}: no YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise DatasetError(f"{path}: no YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise DatasetError(f"{path}: {where + ': ' if where else ''}{what}") from error
