"""WooCommerce's product export: a row a product or a variation, which names its parent.

A variable product is one item (variants.py), called by its ID as WooCommerce's events do; its SKU
and the ids and SKUs of its variations are other names of it. Private products and drafts are left
out. https://github.com/woocommerce/woocommerce/wiki/Product-CSV-Import-Schema
"""

import re
import time
from collections.abc import Iterable

from features.catalog.item import Item
from features.datasets.feeds.found import Found, Report
from features.datasets.feeds.rows import Row
from features.datasets.feeds.values import (
    category_of,
    joined,
    moment_of,
    plain_text,
    price_of,
    told,
)
from features.datasets.feeds.variants import Variant, offer_of
from features.datasets.format import DatasetError

_GTIN = "GTIN, UPC, EAN, or ISBN"
_COMMA = re.compile(r"(?<!\\),")  # a comma of a name is written "\,"
_DAY_S = 86_400.0


def is_header(columns: Iterable[str]) -> bool:
    """Whether a table with these columns is a WooCommerce product export in English."""
    return {"Type", "SKU", "Name", "Regular price"} <= set(columns)


def read_woocommerce(rows: Iterable[Row], found: Found, report: Report) -> None:
    """Add one item a product that is on sale."""
    products: list[Row] = []
    variations: dict[str, list[Row]] = {}
    for row in rows:
        if "variation" in _parts(row.text("Type")):
            variations.setdefault(row.text("Parent"), []).append(row)
        else:
            products.append(row)
    for row in products:
        # A parent is named by its id, or by its SKU.
        names = (f"id:{row.text('ID')}", row.text("SKU") or "no SKU")
        own = [variation for name in names for variation in variations.pop(name, [])]
        try:
            _read(row, own, found)
        except DatasetError as problem:
            report(problem)
    for orphans in variations.values():
        report(orphans[0].error("Parent", "names a product that is not in the file"))


def _read(row: Row, variations: list[Row], found: Found) -> None:
    item_id = row.text("ID", "SKU")
    if not item_id:
        raise row.error("ID", "is empty, and so is the SKU")
    if row.text("Published") in ("0", "-1"):
        found.skipped["products that are not published"] += 1
        return
    if row.text("Visibility in catalog") == "hidden":
        found.skipped["hidden products"] += 1
        return
    # Of a variable product the row itself is nothing to buy.
    variants = [_variant(each) for each in variations if each.text("Published") != "-1"]
    offer = offer_of(variants or [_variant(row)])
    codes = {
        name: joined([code, offer.attributes.get(name, "")]) for name, code in _codes(row).items()
    }
    paths = [category_of(path) for path in _parts(row.text("Categories"))]
    # A line's end is exported as the two characters "\\n".
    texts = [
        plain_text(row.text(name).replace("\\n", " "))
        for name in ("Short description", "Description")
    ]
    item = Item(
        item_id=item_id,
        title=plain_text(row.text("Name")),
        description=" ".join(dict.fromkeys(filter(None, texts))),
        category=max(paths, key=lambda path: path.count(">"), default=""),
        brand=", ".join(_parts(row.text("Brands", "Brand"))),
        price=offer.price,
        image_url=next(iter(_parts(row.text("Images"))), ""),
        available=offer.available,
        attributes=told(offer.attributes | _attributes(row) | codes | {"tags": row.text("Tags")}),
    )
    names = (name for each in variations for name in (each.text("ID"), each.text("SKU")))
    found.add(item, row, "ID", (row.text("SKU"), *names))


def _variant(row: Row) -> Variant:
    sale = _price(row, "Sale price")
    return Variant(
        regular=_price(row, "Regular price"),
        sale=sale if _in_force(row) else float("nan"),
        available=row.text("In stock?") != "0",
        options=_attributes(row),
        codes=_codes(row),
    )


def _codes(row: Row) -> dict[str, str]:
    return {"sku": row.text("SKU"), "gtin": row.text(_GTIN)}


def _attributes(row: Row) -> dict[str, str]:
    found = {}
    number = 1
    while f"Attribute {number} name" in row.values:
        values = _parts(row.text(f"Attribute {number} value(s)"))
        found[plain_text(row.text(f"Attribute {number} name"))] = ", ".join(values)
        number += 1
    return told(found)


def _price(row: Row, column: str) -> float:
    text = row.text(column)
    try:
        return price_of(text)[0] if text else float("nan")
    except ValueError as error:
        raise row.error(column, str(error)) from error


def _in_force(row: Row) -> bool:
    begins, ends = "Date sale price starts", "Date sale price ends"
    for column in (begins, ends):
        try:
            at_s = moment_of(row.text(column)) if row.text(column) else None
        except ValueError as error:
            raise row.error(column, str(error)) from error
        # The last day counts to its end.
        over = column == ends and at_s is not None and at_s + _DAY_S <= time.time()
        if over or (column == begins and at_s is not None and at_s > time.time()):
            return False
    return True


def _parts(text: str) -> list[str]:
    parts = (part.replace("\\,", ",") for part in _COMMA.split(text))
    return [text for part in parts if (text := plain_text(part))]
