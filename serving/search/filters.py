"""Which items a request lets through."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.arrays import RowArray
from features.catalog.item import category_path
from features.catalog.table import ItemTable


@dataclass(frozen=True, slots=True)
class Filters:
    """Only items that satisfy all of these are ranked; None asks nothing.

    category: a path or a prefix of one; available: None: also items that are sold out
    """

    category: str | None = None
    brands: tuple[str, ...] | None = None
    min_price: float | None = None
    max_price: float | None = None
    exclude_item_ids: tuple[str, ...] = ()
    available: bool | None = True

    @property
    def asks_of_the_item(self) -> bool:
        """Whether an item outside the catalogue is held back, of which nothing is known."""
        conditions = (self.category, self.brands, self.min_price, self.max_price)
        return any(condition is not None for condition in conditions)


NO_FILTERS = Filters()


def allowed(table: ItemTable, rows: RowArray, filters: Filters | None) -> npt.NDArray[np.bool_]:
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
        keep[known] &= _wanted(table, at, filters)
    if filters.exclude_item_ids:
        keep[known] &= ~np.isin(at, table.rows(filters.exclude_item_ids))
    return keep


def _wanted(table: ItemTable, at: RowArray, filters: Filters) -> npt.NDArray[np.bool_]:
    wanted = np.ones(len(at), bool)
    if filters.category is not None:
        code = table.category_code.get(category_path(filters.category), -2)
        wanted &= (table.category[at] == code).any(axis=1)
    if filters.brands is not None:
        codes = [table.brand_code.get(brand, -2) for brand in filters.brands]
        wanted &= np.isin(table.brand[at], codes)
    if filters.min_price is not None:
        wanted &= table.log_price[at] >= _log(filters.min_price)
    if filters.max_price is not None:
        wanted &= table.log_price[at] <= _log(filters.max_price)
    return wanted


def _log(price: float) -> float:
    """As the catalogue takes it; np.log can differ in the last bit."""
    return math.log(price) if price > 0 else -math.inf
