"""What was found in the files of a shop, and how it becomes a data set."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pandas as pd

from features.catalog.item import Item
from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS, event_row
from features.datasets.feeds.rows import Row
from features.datasets.format import DatasetError
from features.datasets.item_details import attributes_text
from features.events.event import BehaviorEvent

# What is done with a row that cannot be read: raise, or note it and go on.
Report = Callable[[DatasetError], None]


def refuse(problem: DatasetError) -> NoReturn:
    """The `Report` of an import: the first problem ends it, and nothing has changed."""
    raise problem


@dataclass(slots=True)
class Found:
    """Items and events, in the order of their files.

    aliases: other ids of an item, such as its SKU: an event may name it so
    skipped: what was left out on purpose, by reason
    """

    items: list[Item] = field(default_factory=list)
    events: list[BehaviorEvent] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    _ids: dict[str, str] = field(default_factory=dict)  # and where each stands

    def add(self, item: Item, row: Row, column: str, aliases: Iterable[str] = ()) -> None:
        """An item, and what else it is called; an alias of two items is none of either.

        row, column: where its id stands. Raises DatasetError when the id stood before.
        """
        if earlier := self._ids.get(item.item_id):
            raise row.error(column, f"holds {item.item_id!r}, which stands in {earlier}")
        self.items.append(item)
        self._ids[item.item_id] = f"{row.path.name}, line {row.line}"
        for alias in dict.fromkeys(filter(None, aliases)):
            known = self.aliases.setdefault(alias, item.item_id)
            if known != item.item_id:
                self.aliases[alias] = ""

    def know(self, item_ids: Iterable[str], path: Path) -> None:
        """Ids of items that `path` has in our own format."""
        self._ids.update((item_id, path.name) for item_id in item_ids)

    def resolve(self, *names: str) -> str:
        """The id of the item that one of `names` means; the first of them when it is unknown."""
        for name in names:
            if name in self._ids:
                return name
            if item_id := self.aliases.get(name):
                return item_id
        return next(filter(None, names), "")

    def item_table(self) -> pd.DataFrame:
        """Of ITEM_COLUMNS."""
        rows = {
            name: [
                getattr(item, "created_s" if name == "created_at" else name) for item in self.items
            ]
            for name in ITEM_COLUMNS
        }
        rows["attributes"] = [attributes_text(each) for each in rows["attributes"]]
        return conform(pd.DataFrame(rows), ITEM_COLUMNS)

    def event_table(self) -> pd.DataFrame:
        """Of EVENT_COLUMNS."""
        return conform(pd.DataFrame(map(event_row, self.events)), EVENT_COLUMNS)
