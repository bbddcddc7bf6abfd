"""Which system a file comes from, told by its content, and all files of a shop as one data set."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pandas as pd

from features.datasets.feeds import ga4, merchant, segment, shopify, woocommerce
from features.datasets.feeds.found import Found, Report, refuse
from features.datasets.feeds.mapped import mapped_rows, read_mapped
from features.datasets.feeds.mapping import Mapping, mapping_path, read_mapping
from features.datasets.feeds.rows import csv_rows, encoding_of, header_of, jsonl_rows
from features.datasets.format import (
    Dataset,
    DatasetError,
    DatasetInfo,
    checked,
    own_table,
    read_info,
    read_table,
)

_SUFFIXES = frozenset(
    {".xml", ".rss", ".atom", ".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson"}
)
_TABLES = ("items", "events", "queries")


class Kind(StrEnum):
    """What a file is, in words."""

    ITEMS = "items of our format"
    EVENTS = "events of our format"
    QUERIES = "queries of our format"
    MERCHANT_XML = "Google Merchant feed, XML"
    MERCHANT_TABLE = "Google Merchant feed, table"
    SHOPIFY = "Shopify products"
    WOOCOMMERCE = "WooCommerce products"
    GA4 = "Google Analytics 4 events"
    SEGMENT = "Segment calls"
    MAPPED_ITEMS = "items by a mapping file"
    MAPPED_EVENTS = "events by a mapping file"


_OWN = {Kind.ITEMS: "items", Kind.EVENTS: "events", Kind.QUERIES: "queries"}
_LOGS = frozenset({Kind.EVENTS, Kind.QUERIES, Kind.GA4, Kind.SEGMENT, Kind.MAPPED_EVENTS})


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what it is; `mapping` of a file that is read by one."""

    path: Path
    kind: Kind
    mapping: Mapping | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the files hold, before a data set's checks."""

    info: DatasetInfo
    items: pd.DataFrame
    events: pd.DataFrame
    queries: pd.DataFrame | None
    found: Found
    sources: list[Source]


def has_feeds(folder: Path) -> bool:
    """Whether a folder holds other files than those of our format."""
    if own_table(folder, "items") is None:
        return any(_candidates(folder))
    sources = map(source_of, _candidates(folder))
    return any(source is not None and source.kind not in _OWN for source in sources)


def read_feeds(source: Path) -> Dataset:
    """A file, or a folder of files, as a data set; raises DatasetError at the first problem."""
    reading = read_files(source, refuse)
    return checked(reading.info, reading.items, reading.events, reading.queries, source)


def read_files(source: Path, report: Report) -> Reading:
    """Read what `source` holds; a row that cannot be read goes to `report`.

    Raises DatasetError for a file that cannot be read at all or is of no known system, and when
    nothing brings items.
    """
    sources, strange = sources_of(source)
    # A folder with items of ours may hold other things; else nothing of a shop's is overlooked.
    if strange and not any(each.kind is Kind.ITEMS for each in sources):
        raise _unknown(strange[0])
    return read_sources(source, sources, report)


def read_sources(source: Path, sources: list[Source], report: Report) -> Reading:
    """Read files of `source` that are told already; the rest as `read_files`."""
    info = read_info(source) if source.is_dir() else DatasetInfo(name=source.stem)
    if all(each.kind in _LOGS for each in sources):
        raise DatasetError(f"{source}: no items: neither a product feed nor items.jsonl is there")
    found = Found()
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in _TABLES}
    # Events name items by their other ids too, so the items come first.
    for each in sorted(sources, key=lambda each: each.kind in _LOGS):
        if name := _OWN.get(each.kind):
            tables[name].append(read_table(each.path, name))
        else:
            _read(each, found, report)
        if each.kind is Kind.ITEMS:
            found.know(tables["items"][-1]["item_id"], each.path)
    items = _together([*tables["items"], found.item_table()])
    events = _together([*tables["events"], found.event_table()])
    queries = _together(tables["queries"]) if tables["queries"] else None
    return Reading(info, items, events, queries, found, sources)


def source_of(path: Path) -> Source | None:
    """What a file is; None for one of no known system. Raises DatasetError for a bad mapping."""
    if mapping_path(path).is_file():
        mapping = read_mapping(mapping_path(path))
        kind = Kind.MAPPED_ITEMS if mapping.kind == "items" else Kind.MAPPED_EVENTS
        return Source(path, kind, mapping)
    try:
        told = _kind(path)
    except DatasetError:
        return None
    return Source(path, told) if told else None


def starts_with(path: Path) -> str:
    """The first character of a file that is no space; "" for an empty one."""
    with path.open(encoding=encoding_of(path), errors="replace") as file:
        return file.read(4_096).lstrip("\ufeff \t\r\n")[:1]


def _kind(path: Path) -> Kind | None:
    if path.suffix == ".parquet":
        return next((kind for kind, name in _OWN.items() if name == path.stem), None)
    start = starts_with(path)
    if start == "<":
        return Kind.MERCHANT_XML
    if start in ("{", "["):
        return _kind_of_lines(path)
    header = header_of(path)
    tables = {
        Kind.SHOPIFY: shopify.is_header,
        Kind.WOOCOMMERCE: woocommerce.is_header,
        Kind.MERCHANT_TABLE: merchant.is_header,
    }
    return next((kind for kind, is_header in tables.items() if is_header(header)), None)


def _kind_of_lines(path: Path) -> Kind | None:
    first = next(jsonl_rows(path)).values
    if ga4.is_event(first):
        return Kind.GA4
    if segment.is_call(first):
        return Kind.SEGMENT
    own = {kind: name for kind, name in _OWN.items() if path.name == f"{name}.jsonl"}
    if {"item_id", "title"} <= first.keys():
        return Kind.ITEMS
    return Kind.EVENTS if {"type", "at"} <= first.keys() else next(iter(own), None)


def sources_of(source: Path) -> tuple[list[Source], list[Path]]:
    """The files of a file or folder that are told, and those of no known system."""
    files = [source] if source.is_file() else [*_candidates(source)]
    told = {path: source_of(path) for path in files}
    sources = [each for each in told.values() if each]
    if source.is_dir():
        parquet = [path for name in _TABLES if (path := own_table(source, name))]
        sources += [
            each for path in parquet if path.suffix == ".parquet" and (each := source_of(path))
        ]
    return sources, [path for path, each in told.items() if each is None]


def _candidates(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        named = path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
        if named and path.is_file() and path.name != "dataset.json" and path.stat().st_size:
            yield path


def _unknown(path: Path) -> DatasetError:
    """Why a file is of no known system: the problem that it begins with, or its columns."""
    try:
        lines = starts_with(path) in ("{", "[")
        columns = [*next(jsonl_rows(path)).values] if lines else header_of(path)
    except DatasetError as problem:
        return problem
    shown = ", ".join(columns[:4])
    return DatasetError(
        f"{path}: line 1: columns of no system that is known ({shown}): "
        f"`make doctor DATA={path}` proposes {mapping_path(path).name}"
    )


def _read(source: Source, found: Found, report: Report) -> None:
    path = source.path
    match source.kind:
        case Kind.MERCHANT_XML:
            merchant.read_merchant(merchant.xml_rows(path), found, report)
        case Kind.MERCHANT_TABLE:
            merchant.read_merchant(merchant.named(csv_rows(path)), found, report)
        case Kind.SHOPIFY:
            shopify.read_shopify(csv_rows(path), found, report)
        case Kind.WOOCOMMERCE:
            woocommerce.read_woocommerce(csv_rows(path), found, report)
        case Kind.GA4:
            ga4.read_ga4(jsonl_rows(path), found, report)
        case Kind.SEGMENT:
            segment.read_segment(jsonl_rows(path), found, report)
        case _ if source.mapping:
            lines = starts_with(path) == "{"
            read_mapped(mapped_rows(path, source.mapping, lines), source.mapping, found, report)


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if not table.empty] or tables[:1]
    return pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]
