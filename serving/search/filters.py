"""Which items a request lets through."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from features.arrays import RowArray
from features.catalog.table import ItemTable
from serving.search.attributes import AttributeIndex


@dataclass(frozen=True, slots=True)
class Filters:
    """Only items that satisfy all of these are ranked; None asks nothing.

    categories: paths of any depth, any of which will do; brands likewise; attributes: for each
    name, values any of which will do; prices are in the shop's currency; available: None: also
    items that are sold out;
    bought_within_s: what the shopper has bought in these last seconds is left out; what that is
    depends on who asks, so the ranking path names the items (`without`) before it filters;
    also: filters that must be satisfied as well.
    Names are compared folded: capitals and widths do not count.
    """

    categories: tuple[str, ...] | None = None
    brands: tuple[str, ...] | None = None
    exclude_brands: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    min_price: float | None = None
    max_price: float | None = None
    exclude_item_ids: tuple[str, ...] = ()
    exclude_categories: tuple[str, ...] = ()
    available: bool | None = True
    bought_within_s: float | None = None
    also: "Filters | None" = None
    known: bool = False  # nothing outside the catalogue, of which nobody can say what it is

    def within(self, other: "Filters") -> "Filters":
        """What satisfies both."""
        bought_s = [s for s in (self.bought_within_s, other.bought_within_s) if s is not None]
        also = other if self.also is None else self.also.within(other)
        return replace(self, also=also, bought_within_s=max(bought_s, default=None))

    def without(self, item_ids: Collection[str]) -> "Filters":
        """These filters, and none of `item_ids`."""
        return replace(self, exclude_item_ids=(*self.exclude_item_ids, *item_ids))

    def without_kinds(self, brands: Collection[str], categories: Collection[str]) -> "Filters":
        """These filters, and nothing of these brands and below these category paths."""
        return replace(
            self,
            exclude_brands=(*self.exclude_brands, *brands),
            exclude_categories=(*self.exclude_categories, *categories),
        )

    @property
    def asks_of_the_item(self) -> bool:
        """Whether an item outside the catalogue is held back, of which nothing is known."""
        conditions = (self.categories, self.brands, self.min_price, self.max_price)
        return (
            self.known
            or bool(self.attributes)
            or any(condition is not None for condition in conditions)
        )


NO_FILTERS = Filters()


def allowed(
    table: ItemTable, attributes: AttributeIndex, rows: RowArray, filters: Filters | None
) -> npt.NDArray[np.bool_]:
    """Which of `rows` may be shown, (n,).

    Removed items never, sold-out ones only when asked for. An item outside the catalogue (-1) is
    held back by every filter that asks something of it.
    """
    filters = filters or NO_FILTERS
    known = rows >= 0
    keep = np.ones(len(rows), bool)
    at = rows[known]
    keep[known] = ~table.removed[at]
    if filters.available is not None:
        keep[known] &= table.available[at] == filters.available
    if filters.asks_of_the_item:
        keep &= known
        keep[known] &= _wanted(table, attributes, at, filters)
    if filters.exclude_brands:
        keep[known] &= ~table.of_brand(at, *filters.exclude_brands)
    for path in filters.exclude_categories:
        keep[known] &= ~table.in_category(at, path)
    if filters.exclude_item_ids:
        keep[known] &= ~np.isin(at, table.rows(filters.exclude_item_ids))
    if filters.also is not None:
        keep &= allowed(table, attributes, rows, filters.also)
    return keep


def _wanted(
    table: ItemTable, attributes: AttributeIndex, at: RowArray, filters: Filters
) -> npt.NDArray[np.bool_]:
    wanted = np.ones(len(at), bool)
    if filters.categories is not None:
        wanted &= _any([table.in_category(at, path) for path in filters.categories])
    if filters.brands is not None:
        wanted &= table.of_brand(at, *filters.brands)
    for name, values in filters.attributes.items():
        wanted &= _any([attributes.having(at, name, value) for value in values])
    if filters.min_price is not None:
        wanted &= table.price[at] >= filters.min_price
    if filters.max_price is not None:
        wanted &= table.price[at] <= filters.max_price
    return wanted


def _any(masks: list[npt.NDArray[np.bool_]]) -> npt.NDArray[np.bool_]:
    either: npt.NDArray[np.bool_] = np.logical_or.reduce(masks)
    return either
