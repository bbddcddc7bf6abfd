"""Judged queries: 150 real shopping queries with human labels, and the products they judge.

Source: Amazon Shopping Queries (ESCI), Reddy et al. (2022), arXiv:2206.06588, in the two Parquet
files esci150_judgments.parquet and esci150_products.parquet. It has no behaviour at all.
"""

import html
import re
from pathlib import Path

import pandas as pd

from features.datasets.columns import ITEM_COLUMNS, QUERY_COLUMNS, conform
from features.datasets.event_rows import EVENT_COLUMNS
from features.datasets.format import Dataset, DatasetInfo
from features.datasets.online_retail import source_table

JUDGMENTS_FILE = "esci150_judgments.parquet"
PRODUCTS_FILE = "esci150_products.parquet"
GAINS = {3: 1.0, 2: 0.1, 1: 0.01, 0: 0.0}  # Exact, Substitute, Complement, Irrelevant
DESCRIPTION_CHARS = 600  # a cross-encoder reads a few hundred; the rest is marketing
INFO = DatasetInfo(
    name="esci150",
    source="Amazon Shopping Queries Dataset: C. K. Reddy et al. (2022), arXiv:2206.06588; "
    "150 queries joined from opensearch dashboards-search-relevance and o19s chorus",
    licence="Apache-2.0",
    currency="USD",
)


def import_esci(folder: Path) -> Dataset:
    """Items, an empty event log and 6,678 judgments with gains 1, .1, .01 and 0.

    The colour is joined to the description when neither text names it. Raises DatasetError.
    """
    products = source_table(
        folder / PRODUCTS_FILE,
        ["asin", "title", "description", "bullet_points", "brand", "color", "category",
         "price_usd"],
    ).fillna({"color": "", "description": "", "bullet_points": ""})  # fmt: skip
    judgments = source_table(folder / JUDGMENTS_FILE, ["query_id", "query", "asin", "grade"])
    items = products.rename(columns={"asin": "item_id", "price_usd": "price"}).assign(
        description=[
            _description(*texts)
            for texts in zip(
                products["title"],
                products["description"],
                products["bullet_points"],
                products["color"],
                strict=True,
            )
        ],
        currency="USD",
    )
    queries = judgments.rename(columns={"asin": "item_id"}).assign(
        gain=judgments["grade"].map(GAINS)
    )
    return Dataset(
        INFO,
        conform(items, ITEM_COLUMNS),
        conform(pd.DataFrame(), EVENT_COLUMNS),
        conform(queries, QUERY_COLUMNS),
    )


def _description(title: str, description: str, bullets: str, color: str) -> str:
    """Plain text of at most ~600 characters, cut at a word; the bullets stand in for no prose."""
    text = description if len(description) >= 40 else f"{description} {bullets}"
    text = html.unescape(re.sub(r"<[a-zA-Z/][^>]*>", " ", text))
    text = " ".join(text.split())
    if color and color.lower() not in f"{title} {text}".lower():
        text = f"Color: {color}. {text}"
    if len(text) <= DESCRIPTION_CHARS:
        return text.strip()
    return text[:DESCRIPTION_CHARS].rsplit(" ", 1)[0] + "..."
