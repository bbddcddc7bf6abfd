"""How many of the items that were found have each category, brand or attribute."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from features.arrays import RowArray
from features.catalog.item import CATEGORY_SEPARATOR
from features.catalog.table import ItemTable
from features.catalog.words import folded

_MOST_VALUES = 100  # told of one facet
_MOST_ITEMS = 20_000  # whose attributes are looked at


@dataclass(frozen=True, slots=True)
class Facets:
    """counts: by name and value, most frequent first; prices: lowest, highest and mean in
    the shop's currency, if any."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    prices: tuple[float, float, float] | None = None


def facets_of(table: ItemTable, rows: RowArray, names: Sequence[str]) -> Facets:
    """Of the items in `rows`. names: "category" (every level of a path counts), "brand", "price" or
    those of attributes."""
    counts: dict[str, dict[str, int]] = {}
    prices = None
    items = [table.items[row] for row in rows[:_MOST_ITEMS].tolist()]
    for name in names:
        if name == "price":
            known = table.price[rows]
            known = known[np.isfinite(known)]
            if len(known):
                figures = (float(known.min()), float(known.max()), float(known.mean()))
                prices = (round(figures[0], 2), round(figures[1], 2), round(figures[2], 2))
            continue
        values: Counter[str] = Counter()
        wanted = folded(name)
        if name == "category":
            for path, n in Counter(item.category for item in items if item.category).items():
                for prefix in _prefixes(path):
                    values[prefix] += n
        elif name == "brand":
            values.update(item.brand for item in items if item.brand)
        else:
            values.update(
                value
                for item in items
                for given, value in item.attributes.items()
                if value and folded(given) == wanted
            )
        counts[name] = _by_writing(values)
    return Facets(counts, prices)


def _by_writing(values: Counter[str]) -> dict[str, int]:
    """Counts by the most frequent writing of each value, most frequent first."""
    writing: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for value, n in values.most_common():
        counts[writing.setdefault(folded(value), value)] += n
    return dict(counts.most_common(_MOST_VALUES))


def _prefixes(path: str) -> list[str]:
    names = [name.strip() for name in path.split(">") if name.strip()]
    return [CATEGORY_SEPARATOR.join(names[: depth + 1]) for depth in range(len(names))]
