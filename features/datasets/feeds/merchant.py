"""Google Merchant feeds: RSS 2.0 and Atom with the g: namespace, and tables with tabs.

One offer is one item, variants too: each has a title, a picture and an id of its own, and that id
is what Google's events name. `item_group_id` stays an attribute.
https://support.google.com/merchants/answer/7052112
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.parsers import expat

from features.catalog.item import Item
from features.datasets.feeds.found import Found, Report
from features.datasets.feeds.rows import Row
from features.datasets.feeds.values import (
    category_of,
    joined,
    moment_of,
    plain_text,
    price_of,
    sale_attributes,
    told,
)
from features.datasets.format import DatasetError

_NAMESPACE = "http://base.google.com/ns/1.0"
_DEEPEST = 16  # elements within elements; a feed has five
_BLOCK = 1 << 16
_ATTRIBUTES = (
    "gtin", "mpn", "color", "size", "gender", "age_group", "material", "pattern", "item_group_id",
    "condition",
)  # fmt: skip
_NOT_SOLD = frozenset({"out_of_stock", "out of stock"})  # one may order ahead of the others


def is_header(columns: Iterable[str]) -> bool:
    """Whether a table with these columns is a Merchant feed."""
    names = set(map(_name, columns))
    return {"id", "title", "price"} <= names and bool(
        names & {"link", "image_link", "availability"}
    )


def named(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of a table with the names of the attributes as XML has them: "image link" too."""
    for row in rows:
        values = {_name(name): value for name, value in row.values.items()}
        details = str(values.pop("product_detail", "")).split(",")
        parts = [part.split(":", 2) for part in details if part.count(":") >= 2]
        values["product_detail.attribute_name"] = [part[1] for part in parts]
        values["product_detail.attribute_value"] = [part[2] for part in parts]
        yield Row(row.path, row.line, values)


def read_merchant(rows: Iterable[Row], found: Found, report: Report) -> None:
    """Add one item a row."""
    for row in rows:
        try:
            found.add(_item(row), row, "id")
        except DatasetError as problem:
            report(problem)


def _item(row: Row) -> Item:
    price, currency = _price(row, "price")
    sale, _ = _price(row, "sale_price")
    on_sale = sale < price and _in_force(row)
    names, values = (
        row.values.get(f"product_detail.attribute_{part}", []) for part in ("name", "value")
    )
    details = dict(zip(map(plain_text, names), map(plain_text, values), strict=False))
    own = {name: plain_text(row.text(name)) for name in _ATTRIBUTES}
    if own["condition"].lower() == "new":
        del own["condition"]  # says nothing that a shopper would ask for
    if isinstance(sizes := row.values.get("size"), list):
        own["size"] = joined(map(plain_text, sizes))
    google = row.text("google_product_category")
    return Item(
        item_id=row.required("id"),
        title=plain_text(row.text("title", "structured_title")),
        description=plain_text(row.text("description")),
        category=category_of(row.text("product_type") or ("" if google.isdigit() else google)),
        brand=plain_text(row.text("brand")),
        price=sale if on_sale else price,
        currency=currency,
        image_url=row.text("image_link"),
        available=row.text("availability").lower() not in _NOT_SOLD,
        attributes=told(details | own | (sale_attributes(price, sale) if on_sale else {})),
    )


def _price(row: Row, column: str) -> tuple[float, str]:
    text = row.text(column)
    try:
        return price_of(text) if text else (float("nan"), "")
    except ValueError as error:
        raise row.error(column, str(error)) from error


def _in_force(row: Row) -> bool:
    """Whether the sale price counts now; a time that is not told is no limit."""
    begins, _, ends = row.text("sale_price_effective_date").partition("/")
    try:
        started = not begins or moment_of(begins) <= time.time()
        return started and (not ends or time.time() < moment_of(ends))
    except ValueError as error:
        raise row.error("sale_price_effective_date", str(error)) from error


def _name(column: str) -> str:
    return column.strip().lower().removeprefix("g:").replace(" ", "_")


def xml_rows(path: Path) -> Iterator[Row]:
    """Items of an RSS or entries of an Atom feed; a nested element's column is "outer.inner".

    A column holds the list of its texts, since elements repeat. What declares a document type, and
    with it entities that could grow without end, is refused. Raises DatasetError.
    """
    reader = _Reader(path)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            reader.feed(block)
            yield from reader.taken()
        reader.feed(b"", last=True)
        yield from reader.taken()
    if not reader.any:
        raise DatasetError(f"{path}: neither an <item> nor an <entry>: no Merchant feed")


class _Reader:
    def __init__(self, path: Path) -> None:
        self.any = False
        self._path = path
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = lambda text: self._texts[-1].append(text)
        parser.StartDoctypeDeclHandler = self._refuse
        self._open: list[str] = []  # names of the elements around
        self._texts: list[list[str]] = [[]]  # of each of them
        self._item_depth = 0  # of the item that is being read, 0: none
        self._row = Row(path, 0, {})
        self._google: set[str] = set()  # columns that Google's namespace has told
        self._done: list[Row] = []

    def feed(self, block: bytes, last: bool = False) -> None:
        try:
            self._parser.Parse(block, last)
        except expat.ExpatError as error:
            where = f"line {error.lineno}: column {error.offset + 1}"
            reason = expat.errors.messages[error.code]
            raise DatasetError(f"{self._path}: {where}: no well-formed XML: {reason}") from error
        except (LookupError, ValueError) as error:  # what the XML declaration asks for
            raise DatasetError(f"{self._path}: line 1: {error}: save it as UTF-8") from error

    def taken(self) -> list[Row]:
        done, self._done = self._done, []
        return done

    def _start(self, name: str, _: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        local = name.rpartition(" ")[2]
        if len(self._open) >= _DEEPEST:
            raise DatasetError(f"{self._path}: line {line}: elements too deep for a feed")
        self._open.append(name)
        self._texts.append([])
        if not self._item_depth and local in ("item", "entry"):
            self._item_depth = len(self._open)
            self._row, self._google = Row(self._path, line, {}), set()
            self.any = True

    def _end(self, name: str) -> None:
        text = "".join(self._texts.pop())
        inside = [part.rpartition(" ") for part in self._open[self._item_depth :]]
        if self._item_depth == len(self._open):
            self._done.append(self._row)
            self._item_depth = 0
        elif self._item_depth:
            self._keep(".".join(part[2] for part in inside), inside[0][0] == _NAMESPACE, text)
        self._open.pop()

    def _keep(self, column: str, google: bool, text: str) -> None:
        """Both <title> and <g:title> may be there: then Google's counts."""
        if google and column not in self._google:
            self._google.add(column)
            self._row.values[column] = [text]
        elif google or column not in self._google:
            self._row.values.setdefault(column, []).append(text)

    def _refuse(self, *_: object) -> None:
        line = self._parser.CurrentLineNumber
        raise DatasetError(f"{self._path}: line {line}: a DOCTYPE, which no feed needs: refused")
