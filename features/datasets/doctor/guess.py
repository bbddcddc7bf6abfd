"""A mapping file guessed for a table of no known system: names of columns first, then values."""

import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from features.datasets.feeds.files import starts_with
from features.datasets.feeds.mapping import Mapping
from features.datasets.feeds.rows import csv_rows, header_of, jsonl_rows
from features.datasets.feeds.values import moment_of, price_of
from features.datasets.format import DatasetError

_LOOKED_AT = 1_000  # rows
_DEEPEST = 3  # objects within objects
_NAMES = {
    "item_id": "itemid productid id sku articleid articlenumber artikelnummer artnr handle code "
    "asin productno articleno itemno product item productcode nr number reference ref",
    "title": "title name productname itemname producttitle bezeichnung titel artikelbezeichnung "
    "produktname nom titre nombre titulo nome naam label",
    "description": "description body bodyhtml beschreibung longdescription text details "
    "descripcion descrizione omschrijving",
    "category": "category categories categorypath producttype warengruppe kategorie categorie "
    "categoria department breadcrumb taxonomy",
    "brand": "brand vendor manufacturer marke hersteller marque marca merk maker",
    "price": "price saleprice preis unitprice vkpreis prix precio prezzo prijs amount cost",
    "currency": "currency waehrung währung devise moneda currencycode",
    "image_url": "imageurl image imagelink picture bild bildurl img photo imagesrc",
    "available": "available availability instock stock lager lagerbestand verfügbar verfuegbar qty "
    "quantity inventory disponible",
    "created_at": "createdat created added launched publishedat datum",
    "type": "type event eventtype eventname action activity what aktion",
    "at": "at time timestamp ts datetime eventtime date when createdat created zeit zeitpunkt",
    "user_id": "userid user customerid customer visitorid visitor clientid kunde uid who",
    "session_id": "sessionid session visitid usersession",
    "query": "query search searchterm keyword q searchquery suchbegriff",
    "position": "position rank index slot",
    "value": "value revenue total price amount paid",
}
_ITEM = ("title", "item_id", "description", "category", "brand", "price", "currency", "image_url",
         "available", "created_at")  # fmt: skip
_EVENT = ("item_id", "user_id", "session_id", "query", "position", "value")
_TYPES = {
    "impression": "impression impressions shown viewitemlist productlistviewed list",
    "click": "click clicked selectitem productclicked klick",
    "view": "view viewed pageview viewitem productview productviewed look detail pdp",
    "add_to_cart": "addtocart cart addcart productadded basket addtobasket warenkorb",
    "purchase": "purchase purchased buy order orders transaction checkout sale kauf ordercompleted",
    "return": "return refund returned refunded orderrefunded retoure",
    "hide": "hide hidden notinterested dismiss dismissed dislike ausblenden",
    "search": "search searched query productssearched suche",
}
_SOLD_OUT = "nein ausverkauft non agotado esaurito uitverkocht nicht verfügbar epuise épuisé"
_ATTRIBUTES = (
    "sku ean gtin upc barcode mpn isbn asin model colour color farbe size grösse größe material"
)
_TYPES_OF = {name: ours for ours, names in _TYPES.items() for name in names.split()}


def guess(path: Path) -> Mapping | None:
    """A mapping that the first 1,000 rows fit; None where no item or event is to be seen.

    Raises DatasetError for a file that cannot be read.
    """
    columns = _columns(path)
    kind = _TYPES_OF.get
    typed = _pick("type", columns, lambda text: kind(_plain(text)) is not None, 0.3)
    timed = _pick("at", columns, _moment, 0.95)
    if typed and timed and not _pick("title", columns, _words, 0.9):
        return _events(columns, typed, timed)
    return _items(columns)


def as_yaml(mapping: Mapping) -> str:
    """The mapping file's text; what is as usual is left out."""
    said = mapping.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)


def _items(columns: dict[str, list[str]]) -> Mapping | None:
    tests: dict[str, Callable[[str], bool]] = {
        "item_id": lambda text: " " not in text,
        "title": _words,
        "price": _price,
        "created_at": _moment,
        "image_url": lambda text: text.startswith(("http://", "https://")),
        "currency": lambda text: bool(re.fullmatch("[A-Za-z]{3}", text)),
    }
    once = {name for name, texts in columns.items() if all(texts) and len({*texts}) == len(texts)}
    chosen = _chosen(columns, _ITEM, tests, {"item_id": once})
    free = {name: texts for name, texts in columns.items() if name not in chosen.values()}
    if "item_id" not in chosen and (unique := [name for name in free if name in once]):
        chosen["item_id"] = unique[0]
        del free[unique[0]]
    if "title" not in chosen:
        texts = [name for name in free if _share(_words, free[name]) > 0.9]
        if longest := max(texts, key=lambda name: len("".join({*free[name]})), default=None):
            chosen["title"] = longest
            del free[longest]
    if not {"item_id", "title"} <= chosen.keys():
        return None
    settings: dict[str, Any] = {"kind": "items", "columns": chosen}
    settings["attributes"] = {name: name for name in free if _is_attribute(name, free[name])}
    return Mapping.model_validate(settings | _settings(columns, chosen))


def _events(columns: dict[str, list[str]], typed: str, timed: str) -> Mapping | None:
    tests: dict[str, Callable[[str], bool]] = {"position": str.isdigit, "value": _price}
    free = {name: texts for name, texts in columns.items() if name not in (typed, timed)}
    chosen = {"type": typed, "at": timed, **_chosen(free, _EVENT, tests, {})}
    if "item_id" not in chosen:
        return None
    words = dict.fromkeys(filter(None, columns[typed]))
    types = {word: _TYPES_OF[_plain(word)] for word in words if _plain(word) in _TYPES_OF}
    same = all(word == ours for word, ours in types.items()) and len(types) == len(words)
    return Mapping.model_validate(
        {"kind": "events", "columns": chosen, "types": {} if same else types}
    )


def _chosen(
    columns: dict[str, list[str]],
    fields: Iterable[str],
    tests: dict[str, Callable[[str], bool]],
    only: dict[str, set[str]],
) -> dict[str, str]:
    """Field to column: whole names for all fields first, then parts of names."""
    free = dict(columns)
    chosen: dict[str, str] = {}
    for parts in (False, True):
        for field in fields:
            pool = {name: free[name] for name in free if name in only.get(field, free)}
            column = _pick(field, pool, tests.get(field, bool), 0.9, parts)
            if field not in chosen and column:
                chosen[field] = column
                del free[column]
    return chosen


def _settings(columns: dict[str, list[str]], chosen: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    paths = columns.get(chosen.get("category", ""), [])
    for separator in (">", "::", "|", "/"):
        if _share(lambda text, sign=separator: sign in text, paths) > 0.3:  # type: ignore[misc]
            found["category_separator"] = separator
            break
    prices = columns.get(chosen.get("price", ""), [])
    if _share(lambda text: bool(re.search(r",\d{1,2}\b(?!.*\d)", text)), prices) > 0.5:
        found["decimal"] = ","
    stock = {text.casefold() for text in columns.get(chosen.get("available", ""), []) if text}
    if sold_out := sorted(stock & {*_SOLD_OUT.split(), "nicht verfügbar"}):
        found["sold_out"] = sold_out
    return found


def _columns(path: Path) -> dict[str, list[str]]:
    """Texts of the first rows by column, the same number of each."""
    if starts_with(path) in ("{", "["):
        rows = [_flat(row.values) for row in islice(jsonl_rows(path), _LOOKED_AT)]
        names: Iterable[str] = dict.fromkeys(name for row in rows for name in row)
    else:
        rows = [row.values for row in islice(csv_rows(path), _LOOKED_AT)]
        names = filter(None, header_of(path))
    if not rows:
        raise DatasetError(f"{path}: no row")
    return {name: [str(row.get(name) or "").strip() for row in rows] for name in names}


def _flat(values: dict[str, Any], before: str = "", depth: int = 1) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and depth < _DEEPEST:
            flat |= _flat(value, f"{before}{name}.", depth + 1)
        elif not isinstance(value, (dict, list)):
            flat[before + name] = value
    return flat


def _pick(
    field: str,
    columns: dict[str, list[str]],
    test: Callable[[str], bool],
    least: float,
    parts: bool = True,
) -> str | None:
    """The column whose name fits the field best among those whose values do."""
    places = {name: _place(name, _NAMES[field].split(), parts) for name in columns}
    fitting = sorted((place, name) for name, place in places.items() if place is not None)
    return next((name for _, name in fitting if _share(test, columns[name]) >= least), None)


def _place(column: str, names: list[str], parts: bool) -> int | None:
    """How early among the names a column's own stands; of "product.id" the last part may too."""
    for each in (_plain(column), _plain(column.rpartition(".")[2])):
        if each in names:
            return names.index(each)
    words = {_plain(part) for part in re.split(r"[\s._-]+", column)} if parts else {""}
    return next((place for place, name in enumerate(names) if name in words), None)


def _is_attribute(name: str, texts: list[str]) -> bool:
    told = [text for text in texts if text]
    few = 2 <= len({*told}) <= max(2, len(told) // 3) and all(len(text) <= 40 for text in told)
    return _plain(name) in _ATTRIBUTES.split() or (few and not all(map(_price, told)))


def _share(test: Callable[[str], bool], texts: list[str]) -> float:
    told = [text for text in texts if text]
    return sum(map(test, told)) / len(told) if told else 0.0


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _words(text: str) -> bool:
    return any(map(str.isalpha, text)) and not text.startswith("http")


def _price(text: str) -> bool:
    try:
        return price_of(text)[0] >= 0
    except ValueError:
        return False


def _moment(text: str) -> bool:
    try:
        return moment_of(text) > 0
    except ValueError:
        return False
