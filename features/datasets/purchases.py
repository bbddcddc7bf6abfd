"""What a bare purchase log says about its items, without looking past their first sales."""

import pandas as pd

FIRST_LINES = 20  # lines that make the price: enough for a median, early enough to be no leak
NEW_AFTER_S = 28 * 86_400.0  # a first sale this long after the log's start counts as a launch


def known_price(sales: pd.DataFrame) -> pd.Series:
    """Item id -> median unit price over the item's first 20 priced lines; never a later average.

    `sales`: item_id, at (unix seconds), quantity (> 0), value (money of the line). Lines of value 0
    (paid by coupon) name no price; an item with none but those is absent.
    """
    priced = sales[(sales["value"] > 0) & (sales["quantity"] > 0)]
    priced = priced.sort_values("at", kind="stable")
    early = priced[priced.groupby("item_id", sort=False).cumcount() < FIRST_LINES]
    unit = early["value"] / early["quantity"]
    return unit.groupby(early["item_id"]).median().round(2)


def first_sales(sales: pd.DataFrame) -> pd.Series:
    """Item id -> first sale (unix seconds) if over 28 days after the log's start, else NaN.

    A proxy for the launch: a rare item may simply not have been bought before.
    """
    first = sales.groupby("item_id")["at"].min()
    return first.where(first > sales["at"].min() + NEW_AFTER_S)
