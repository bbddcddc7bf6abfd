"""Readable words for the grocery catalogue, whose product text is cut and abbreviated.

The source has no titles. A title is composed of what is there: product type, brand kind, size.
"""

import re

from features.datasets.grocery.words import (
    CATEGORIES,
    DEPARTMENTS,
    LOOSE,
    QUALIFIERS,
    TYPES,
    WORDS,
)

_SMALL = frozenset({"and", "with", "of", "the", "for", "to", "than"})
_UNITS = "FL OZ|OZS|OZ|LBS|LB|CT|PK|PC|ML|L|QT|PT|GAL|GA|DZ|DOZ|SQ FT|FT|LOADS|LOAD|LD|STEMS|STEM"
_AMOUNT = r"(?:\d+ \d/\d|\d/\d|\d*\.\d+|\d+)"
_SIZE = re.compile(
    rf"(?:[A-Z]\s+)?(?:({_AMOUNT})\s*({_UNITS})?\s*[/-]\s*)?({_AMOUNT})\s*({_UNITS})\b"
)
_UNIT_NAMES = {
    "OZS": "oz", "LBS": "lb", "CT": "count", "PK": "pack", "PC": "piece", "ML": "ml", "L": "L",
    "GA": "gal", "DZ": "dozen", "DOZ": "dozen", "LOADS": "loads", "LOAD": "loads", "LD": "loads",
    "STEMS": "stems", "STEM": "stems",
}  # fmt: skip


def readable_type(product_type: str, product_category: str) -> str:
    """A product type in plain words; a bare qualifier ("PREMIUM") takes its category's noun."""
    if product_type in TYPES:
        return TYPES[product_type]
    words = readable(product_type)
    if product_type in QUALIFIERS or not words:
        noun = readable_category(product_category)
        return f"{words} {noun}".strip() if words != noun else noun
    return words


def readable_category(raw: str) -> str:
    """The second level of the path: "FRZN MEAT/MEAT DINNERS" -> "Frozen Meals"."""
    return CATEGORIES.get(raw) or readable(raw)


def readable(raw: str) -> str:
    """Shop codes as title-case words: "FRZN CONC/DRNKS" -> "Frozen Concentrate & Drinks"."""
    text = re.sub(r"\([^)]*\)?", " ", raw.replace("W/", "WITH "))
    parts = [_join(part) for part in re.split(r":|\s-\s|\s-|-\s|(?<=SEAFOOD)-", text)]
    return ", ".join(dict.fromkeys(part for part in parts if part))


def readable_department(raw: str) -> str:
    """The department as a shopper would read it on a shelf sign."""
    return DEPARTMENTS.get(raw) or readable(raw)


def readable_size(raw: str, department: str) -> str:
    """ "16 OZ" -> "16 oz", "6 PK/4 OZ" -> "6 x 4 oz"; "" when it is a code or a case size."""
    matched = _SIZE.match(raw.strip())
    if matched is None or (department in LOOSE and not re.fullmatch(r"\d{1,2} OZ|[1-5] LB", raw)):
        return ""
    count, count_unit, amount, unit = matched.groups()
    if len(amount.split(".")[0]) > 4:
        return ""  # a maker's code, as on cigarettes
    size = f"{_decimal(amount)} {_UNIT_NAMES.get(unit, unit.lower())}"
    if count is None:
        return size
    if count_unit in (None, "PK") and unit != "CT":
        return f"{_decimal(count)} x {size}"
    return f"{_decimal(count)} {_UNIT_NAMES.get(count_unit, count_unit.lower())}, {size}"


def _decimal(number: str) -> str:
    if "/" in number:
        return number
    return f"{float(number):g}"


def _join(part: str) -> str:
    """Alternatives "A/B/C" as "A, B & C", each word expanded and title-cased."""
    names = []
    for name in re.split(r"[/&]", part):
        words = [WORDS.get(word, word.lower()) for word in re.findall(r"[A-Z0-9%'.-]+", name)]
        text = " ".join(word.strip(".") for word in words if word)
        if text:
            names.append(text)
    names = list(dict.fromkeys(names))
    joined = (
        names[0] if len(names) == 1 else ", ".join(names[:-1]) + " & " + names[-1] if names else ""
    )
    titled = [
        word if word in _SMALL and place else word[:1].upper() + word[1:]
        for place, word in enumerate(joined.split())
    ]
    return " ".join(titled)
