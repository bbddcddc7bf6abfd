"""What hurts in a catalogue: each check looks at one thing and yields a finding or nothing."""

import re
from collections.abc import Iterator

import pandas as pd

from features.catalog.language import languages
from features.catalog.prices import Prices
from features.datasets.doctor.findings import Finding, Severity, graded
from features.datasets.item_details import attributes_of

_MARKUP = re.compile(r"</?[a-z][^>]*>|&[a-z]{2,6};|&#\d+;", re.IGNORECASE)
_BROKEN_LETTERS = re.compile("\ufffd|Ã[\u0080-\u00bf]|â€")
_TEST = re.compile(r"\b(?:test|testing|dummy|asdf|lorem|do not buy)\b", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(\.\d+)?[eE]\+\d+")
_FEW = 10  # items: fewer may well be alike


def check_catalogue(items: pd.DataFrame, prices: Prices) -> Iterator[Finding]:
    """Findings of a table of ITEM_COLUMNS; `prices` as dataset.json has them."""
    if items.empty:
        yield Finding(Severity.SEVERE, "no items", 0, 0)
        return
    yield from _titles(items)
    yield from _prices(items, prices)
    yield from _details(items)
    yield from _ids(items)
    yield from _languages(items)


def _titles(items: pd.DataFrame) -> Iterator[Finding]:
    titles, ids = items["title"], items["item_id"]
    yield from graded(
        "titles empty", titles == "", ids, 0.0, 0.05,
        "search and the ranker read the title first: map the column that has it",
    )  # fmt: skip
    named = titles[titles != ""]
    alike = named.duplicated(keep=False)
    if len(named) >= _FEW and named.value_counts().iloc[0] > len(named) / 2:
        most = named == named.mode()[0]
        yield from graded("titles all alike", most, named, 0.0, 0.0, "map another column to title")
    else:
        yield from graded(
            "titles that several items share", alike, named, 0.3, note=0.02,
            advice="say what tells them apart (size, colour), or make variants one item",
        )  # fmt: skip
    yield from graded(
        "titles that are only the id", (titles == ids) & (titles != ""), titles, 0.0, 0.2
    )
    for name in ("title", "description"):
        yield from graded(
            f"markup in the {name}", items[name].str.contains(_MARKUP), items[name], 0.0,
            advice="send plain text",
        )  # fmt: skip
    yield from graded(
        "letters broken by a wrong encoding", titles.str.contains(_BROKEN_LETTERS), titles, 0.0,
        0.05, "save the file as UTF-8, or set encoding in the mapping file",
    )  # fmt: skip
    yield from graded("test items", titles.str.contains(_TEST), titles, 0.0, 0.5)


def _prices(items: pd.DataFrame, prices: Prices) -> Iterator[Finding]:
    price, ids = items["price"], items["item_id"]
    yield from graded(
        "no price", price.isna(), ids, 0.2, advice="filters and features of price leave them out"
    )
    yield from graded("price 0", price == 0, items["title"], 0.01)
    known = items[price.notna()]
    if known.empty:
        return
    if len(known) >= _FEW:
        usual = known["price"] == known["price"].mode()[0]
        yield from graded(
            "one price for all", usual, known["price"], 0.5, 0.95,
            "map the column of the price, or leave the price out", note=0.5,
        )  # fmt: skip
    if not prices.currency:
        currencies = known["currency"].value_counts()
        named = ", ".join(name or "none" for name in currencies.index[:4])
        yield from graded(
            f"currencies mixed ({named})", known["currency"] != known["currency"].mode()[0],
            known["item_id"] + " in " + known["currency"].replace("", "no currency"), 0.0, 0.05,
            "dataset.json tells the shop's currency, and what others are worth in it (rates)",
        )  # fmt: skip
        yield from graded("no currency", known["currency"] == "", known["item_id"], 1.0)
    strange = known["currency"].map(lambda currency: prices.problem(currency) is not None)
    yield from graded(
        "a currency without a rate", strange.astype(bool),
        known["item_id"] + " in " + known["currency"], 0.0, 0.0,
        "nothing starts: write the rate into dataset.json",
    )  # fmt: skip


def _details(items: pd.DataFrame) -> Iterator[Finding]:
    ids, title = items["item_id"], items["title"]
    yield from graded(
        "no category", items["category"] == "", title, 0.2,
        advice="new items and thin histories are ranked by what is known of their category",
    )  # fmt: skip
    yield from graded("no description", items["description"] == "", title, 1.0, note=0.2)
    yield from graded("no brand", items["brand"] == "", title, 1.0, note=0.5)
    yield from graded("no picture", items["image_url"] == "", title, 1.0, note=0.5)
    yield from graded(
        "sold out", ~items["available"], title, 0.5, 0.99,
        "what is sold out is not shown: is the column read the right way round?", note=0.3,
    )  # fmt: skip
    codes = items["attributes"].map(lambda text: next(filter(_ROUNDED.fullmatch, _codes(text)), ""))
    yield from graded(
        "codes that a spreadsheet has rounded", codes != "", ids + ": " + codes, 0.0,
        advice="export them as text: nobody finds the item by this number",
    )  # fmt: skip


def _codes(attributes: str) -> list[str]:
    return [*attributes_of(attributes).values()]


def _ids(items: pd.DataFrame) -> Iterator[Finding]:
    ids = items["item_id"]
    folded = ids.str.casefold()
    yield from graded(
        "ids that stand twice", ids.duplicated(), ids, 0.0, 0.0, "an id is one item: nothing starts"
    )
    distinct = ids[~ids.duplicated()]
    yield from graded(
        "ids that differ only in capitals", folded[distinct.index].duplicated(keep=False), distinct,
        0.0, advice="if they are one item, its events are spread over both",
    )  # fmt: skip


def _languages(items: pd.DataFrame) -> Iterator[Finding]:
    shares = languages(items["title"].tolist())
    others = {language: share for language, share in [*shares.items()][1:] if share >= 0.1}
    if not others:
        return
    first = next(iter(shares))
    told = ", ".join(
        f"{language} {share:.0%}" for language, share in {first: shares[first], **others}.items()
    )
    yield Finding(
        Severity.NOTE, f"titles in several languages ({told})",
        round(sum(others.values()) * len(items)), len(items), "",
        "the multilingual encoder is chosen; a shop for each language searches better",
    )  # fmt: skip
