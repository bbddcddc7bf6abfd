"""A year of a British gift wholesaler: purchases and returns with short titles, no categories.

Source: UCI Online Retail, Chen, Sain and Guo (2012), in the two Parquet files
online_retail_events.parquet and online_retail_items.parquet.
"""

from pathlib import Path

import pandas as pd

from features.datasets.columns import ITEM_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetError, DatasetInfo
from features.datasets.purchases import first_sales, known_price

EVENTS_FILE = "online_retail_events.parquet"
ITEMS_FILE = "online_retail_items.parquet"
INFO = DatasetInfo(
    name="online_retail",
    source="UCI Online Retail, 2010-12 to 2011-12: D. Chen, S. L. Sain, K. Guo (2012), "
    "Journal of Database Marketing and Customer Strategy Management 19(3)",
    licence="CC BY 4.0 (UCI); CC0 (cran/onlineretail)",
    currency="GBP",
    replay="shift_to_now",
)


def import_online_retail(folder: Path) -> Dataset:
    """Read the two files; price and launch come from first sales, never from the items table.

    The table's own price_gbp, first_seen and last_seen span the whole log and would leak. A guest
    has user_id "". A return's value is the money given back, positive. Raises DatasetError.
    """
    events = source_table(
        folder / EVENTS_FILE,
        ["user_id", "invoice", "ts", "event", "item_id", "qty", "price_gbp"],
    )
    titles = source_table(folder / ITEMS_FILE, ["item_id", "title"])
    events = events[events["item_id"].isin(titles["item_id"])].reset_index(drop=True)
    at = (events["ts"] - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    value = events["price_gbp"] * events["qty"]
    sold = (events["event"] == "purchase").to_numpy()
    sales = pd.DataFrame(
        {"item_id": events["item_id"], "at": at, "quantity": events["qty"], "value": value}
    )[sold]
    items = titles.drop_duplicates("item_id").assign(
        title=lambda table: table["title"].map(_readable), currency="GBP"
    )
    items["price"] = items["item_id"].map(known_price(sales))
    items["created_at"] = items["item_id"].map(first_sales(sales))
    log = pd.DataFrame(
        {
            "event_id": [f"or-{row}" for row in range(len(events))],
            "type": events["event"].astype(object),
            "at": at,
            "user_id": events["user_id"],
            "session_id": events["invoice"],
            "item_id": events["item_id"],
            "value": value,
        }
    )
    log = conform(log, EVENT_COLUMNS).sort_values("at", kind="stable", ignore_index=True)
    return Dataset(INFO, conform(items, ITEM_COLUMNS).reset_index(drop=True), log)


def source_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """The named columns of a source's Parquet file; DatasetError in one line when it has not."""
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    try:
        return pd.read_parquet(path, columns=columns)
    except Exception as error:  # pyarrow raises several unrelated kinds for a broken file
        reason = str(error).splitlines()[0][:120]
        raise DatasetError(f"{path}: cannot be read ({type(error).__name__}: {reason})") from error


def _readable(title: str) -> str:
    """ "SET OF 3 CAKE TINS" -> "Set of 3 Cake Tins"; the source writes capitals throughout."""
    small = {"of", "and", "with", "in", "the", "for", "to", "on", "a"}
    words = title.lower().split()
    return " ".join(
        word if word in small and place else word[:1].upper() + word[1:]
        for place, word in enumerate(words)
    )
