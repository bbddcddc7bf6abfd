"""Shopify's product export: a row a variant or a further picture; a handle is a product.

Both headers are read, that of before 2025 and that of since. A product is one item (variants.py),
called by its handle; its variants' SKUs and barcodes are other names of it. Drafts, archived and
unpublished products are left out. https://help.shopify.com/en/manual/products/import-export
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from features.catalog.item import Item
from features.datasets.feeds.found import Found, Report
from features.datasets.feeds.rows import Row
from features.datasets.feeds.values import category_of, plain_text, price_of, told
from features.datasets.feeds.variants import Variant, offer_of
from features.datasets.format import DatasetError

# The column of before 2025, then that of since.
_HANDLE = ("Handle", "URL handle")
_PRICE = ("Variant Price", "Price")
_COMPARE = ("Variant Compare At Price", "Compare-at price")
_SKU = ("Variant SKU", "SKU")
_BARCODE = ("Variant Barcode", "Barcode")
_QUANTITY = ("Variant Inventory Qty", "Inventory quantity")
_TRACKER = ("Variant Inventory Tracker", "Inventory tracker")
_POLICY = ("Variant Inventory Policy", "Continue selling when out of stock")
_NO_OPTION = "Default Title"
_YES = frozenset({"true", "yes", "continue"})


def is_header(columns: Iterable[str]) -> bool:
    """Whether a table with these columns is a Shopify product export."""
    names = set(columns)
    return "Title" in names and all(
        bool(names & set(either)) for either in (_HANDLE, _PRICE, ("Option1 Name", "Option1 name"))
    )


def read_shopify(rows: Iterable[Row], found: Found, report: Report) -> None:
    """Add one item a handle; the rows of a handle stand together."""
    for handle, group in groupby(rows, key=lambda row: row.text(*_HANDLE)):
        product = list(group)
        try:
            if not handle:
                raise product[0].error(_HANDLE[0], "is empty")
            _read(handle, product, found)
        except DatasetError as problem:
            report(problem)


def _read(handle: str, rows: Sequence[Row], found: Found) -> None:
    first = rows[0]
    if (status := first.text("Status").lower()) in ("draft", "archived"):
        found.skipped[f"{status} products"] += 1
        return
    if first.text("Published", "Published on online store").lower() == "false":
        found.skipped["unpublished products"] += 1
        return
    # A row without a price and options only brings a further picture.
    sold = [row for row in rows if row.text(*_PRICE)] or [first]
    variants = [_variant(row, first) for row in sold]
    offer = offer_of(variants)
    category = first.text("Product Category", "Product category")
    texts = {
        "type": plain_text(first.text("Type")),
        "tags": plain_text(first.text("Tags")),
        "mpn": first.text("Google Shopping / MPN"),
    }
    item = Item(
        item_id=handle,
        title=plain_text(first.text("Title")),
        description=plain_text(first.text("Body (HTML)", "Description")),
        category=category_of(category) or texts.pop("type"),
        brand=plain_text(first.text("Vendor")),
        price=offer.price,
        image_url=first.text("Image Src", "Product image URL"),
        available=offer.available,
        attributes=told(texts) | offer.attributes,
    )
    found.add(
        item, first, _HANDLE[0], (code for variant in variants for code in variant.codes.values())
    )


def _variant(row: Row, first: Row) -> Variant:
    price, before = _price(row, _PRICE), _price(row, _COMPARE)
    on_sale = before > price
    tracked, left = row.text(*_TRACKER), row.text(*_QUANTITY)
    sells_on = row.text(*_POLICY).lower() in _YES
    try:
        empty = bool(tracked and left) and float(left) <= 0
    except ValueError as error:
        raise row.error(_QUANTITY[0], f"holds {left!r} where a number belongs") from error
    options = {}
    for number in "123":
        # Only the product's first row names its options.
        name = first.text(f"Option{number} Name", f"Option{number} name")
        value = row.text(f"Option{number} Value", f"Option{number} value")
        if name and value and value != _NO_OPTION:
            options[plain_text(name)] = plain_text(value)
    return Variant(
        regular=before if on_sale else price,
        sale=price if on_sale else float("nan"),
        available=sells_on or not empty,
        options=options,
        # Spreadsheets are kept from rounding a code by an apostrophe before it.
        codes={
            "sku": row.text(*_SKU).lstrip("'"),
            "barcode": row.text(*_BARCODE).lstrip("'"),
        },
    )


def _price(row: Row, columns: tuple[str, str]) -> float:
    if not (text := row.text(*columns)):
        return float("nan")
    try:
        return price_of(text)[0]
    except ValueError as error:
        column = next(name for name in columns if name in row.values)
        raise row.error(column, str(error)) from error
