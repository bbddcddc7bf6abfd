"""Which items a request lets through."""

import math

import numpy as np
import numpy.typing as npt

from features.catalog.item import category_path
from features.catalog.table import ItemTable
from serving.http.schemas.rankings import Filters
from serving.ranking.values import RowArray


def allowed(table: ItemTable, rows: RowArray, filters: Filters | None) -> npt.NDArray[np.bool_]:
    """Which of `rows` may be shown, (n,).

    Removed items never, sold-out ones only when asked for. An item outside the catalogue (-1) is
    held back by every filter that asks something of it.
    """
    known = rows >= 0
    keep = np.ones(len(rows), bool)
    at = rows[known]
    keep[known] = ~table.removed[at]
    available = True if filters is None else filters.available
    if available is not None:
        keep[known] &= table.available[at] == available
    if filters is None:
        return keep
    wanted = np.ones(len(at), bool)
    if filters.category is not None:
        code = table.category_code.get(category_path(filters.category), -2)
        wanted &= (table.category[at] == code).any(axis=1)
    if filters.brand is not None:
        codes = [table.brand_code.get(brand, -2) for brand in filters.brand]
        wanted &= np.isin(table.brand[at], codes)
    if filters.min_price is not None:
        wanted &= table.log_price[at] >= _log(filters.min_price)
    if filters.max_price is not None:
        wanted &= table.log_price[at] <= _log(filters.max_price)
    asking = (filters.category, filters.brand, filters.min_price, filters.max_price)
    if any(each is not None for each in asking):
        keep &= known
        keep[known] &= wanted
    if filters.exclude_item_ids:
        keep[known] &= ~np.isin(at, table.rows(filters.exclude_item_ids))
    return keep


def _log(price: float) -> float:
    """As the catalogue takes it; np.log can differ in the last bit."""
    return math.log(price) if price > 0 else -math.inf
