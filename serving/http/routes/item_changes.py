"""From the wire to the catalogue and back: each entry of a batch is judged alone."""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from features.catalog.item import CATEGORY_SEPARATOR, Item
from features.catalog.prices import Prices
from features.catalog.store import Edit
from serving.http.problems import first_problem
from serving.http.schemas.items import MAX_ATTRIBUTES, ItemChange, ItemFields, ItemIn
from serving.shops.upkeep import Upkeep

_NOT_OF_ITEMS = {"item_id", "picture_text"}  # the one never changes, the other is not the shop's


class Change:
    """An `Edit` that knows what came of it: `made`, or else `code` and `detail`."""

    made: Item | None = None
    code, detail = "unknown_item", "item_id: the catalogue has no such item"

    def __init__(self, fields: ItemFields, prices: Prices, new: Item | None = None) -> None:
        """prices: of the shop; new: the empty item that the fields replace another one with, None:
        they change it."""
        self._fields = fields
        self._new = new
        self._no_rate = prices.problem(fields.currency or "")

    def __call__(self, item: Item | None) -> Item | None:
        self.made = None
        if self._no_rate is not None:
            self.code, self.detail = "invalid_item", f"currency: {self._no_rate}"
            return None
        if self._new is None:
            before = item
        else:
            # A new picture makes no new item: it entered the catalogue when it did.
            before = replace(self._new, created_s=item.created_s) if item else self._new
        if before is None:
            self.code, self.detail = Change.code, Change.detail
            return None
        after = changed(before, self._fields)
        if len(after.attributes) > MAX_ATTRIBUTES:
            self.code, self.detail = "invalid_item", f"attributes: more than {MAX_ATTRIBUTES}"
            return None
        self.made = after
        return after


class Judged:
    """Entries of a batch by their numbers: changes with their item ids, and (code, detail) of
    those that are refused."""

    def __init__(self) -> None:
        self.changes: dict[int, tuple[str, Change]] = {}
        self.refused: dict[int, tuple[str, str]] = {}

    async def write(self, upkeep: Upkeep) -> int:
        """Write what is good, durably; how much that was. What turns out not to be is refused."""
        edits: list[tuple[str, Edit]] = [*self.changes.values()]
        await upkeep.edit(edits)
        for number, (_, change) in self.changes.items():
            if change.made is None:
                self.refused[number] = (change.code, change.detail)
        return sum(change.made is not None for _, change in self.changes.values())


def judge(
    kind: type[ItemIn] | type[ItemChange],
    entries: Iterable[tuple[int, bytes]],
    prices: Prices,
    now_s: float,
) -> Judged:
    """Validate numbered entries, as JSON; it takes time, and may be done in a thread.

    kind: ItemIn: they replace what is there; ItemChange: they change it
    """
    judged = Judged()
    for number, entry in entries:
        try:
            fields = kind.model_validate_json(entry)
        except ValidationError as error:
            judged.refused[number] = ("invalid_item", first_problem(error))
            continue
        new = Item(fields.item_id, "", created_s=now_s) if isinstance(fields, ItemIn) else None
        judged.changes[number] = (fields.item_id, Change(fields, prices, new))
    return judged


def changed(item: Item, fields: ItemFields) -> Item:
    """The item with the fields that were given: merged as in RFC 7396, null empties a field."""
    given = {name: getattr(fields, name) for name in fields.model_fields_set - _NOT_OF_ITEMS}
    for name, value in given.items():
        match name:
            case "price":
                given[name] = math.nan if value is None else value
            case "available":
                given[name] = value is not False
            case "category":
                given[name] = _path(value or "")
            case "attributes":
                merged = {} if value is None else {**item.attributes, **value}
                given[name] = {key: each for key, each in merged.items() if each is not None}
            case "title" | "description" | "brand" | "currency" | "image_url":
                given[name] = value or ""
    if "created_at" in given:
        at: datetime | None = given.pop("created_at")
        given["created_s"] = math.nan if at is None else at.timestamp()
    return replace(item, **given)


def shown(item: Item, picture_text: str | None) -> dict[str, Any]:
    """The body of an ItemOut."""
    created_at = None
    if not math.isnan(item.created_s):
        created_at = datetime.fromtimestamp(item.created_s, UTC).isoformat()
    return {
        "item_id": item.item_id,
        "title": item.title,
        "description": item.description,
        "category": item.category,
        "brand": item.brand,
        "price": item.price,  # NaN is null in JSON
        "currency": item.currency,
        "created_at": created_at,
        "available": item.available,
        "image_url": item.image_url,
        "attributes": item.attributes,
        "picture_text": picture_text,
    }


def _path(category: str) -> str:
    """The category path in the catalogue's own writing; nothing but separators is no category."""
    return CATEGORY_SEPARATOR.join(filter(None, (name.strip() for name in category.split(">"))))
