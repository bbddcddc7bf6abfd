"""One catalogue entry, and what follows from its fields alone."""

import hashlib
import math
from dataclasses import dataclass, field

CATEGORY_SEPARATOR = " > "
# What behaviour is learnt of: deeper paths fold into their third level. Filters know every level
# (category_tree.py).
CATEGORY_LEVELS = 3


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What the fold must know of an item: its category path by level, brand, log price."""

    # Every prefix of the path, outermost first: ("Grocery", "Grocery > Dairy", ...).
    category_levels: tuple[str, ...]
    brand: str
    log_price: float  # in the shop's currency; NaN when unknown, or free


@dataclass(frozen=True, slots=True)
class Item:
    """One catalogue entry, as `PUT /v1/items` brings it."""

    item_id: str
    title: str
    description: str = ""
    category: str = ""  # path, levels separated by " > "
    brand: str = ""
    price: float = math.nan
    currency: str = ""
    created_s: float = math.nan  # unix seconds it entered the catalogue; NaN: always there
    available: bool = True
    image_url: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def category_levels(self) -> tuple[str, ...]:
        """Every prefix of the category path, outermost first, at most CATEGORY_LEVELS."""
        names = [name.strip() for name in self.category.split(">") if name.strip()]
        return tuple(
            CATEGORY_SEPARATOR.join(names[: depth + 1])
            for depth in range(min(len(names), CATEGORY_LEVELS))
        )

    @property
    def ranker_text(self) -> str:
        """The text BERT reads: title, then brand and category where they add words."""
        leaf = self.category_levels[-1].split(CATEGORY_SEPARATOR)[-1] if self.category else ""
        parts = [self.title]
        for part in (self.brand, leaf):
            if part and part.lower() not in self.title.lower():
                parts.append(part)
        return ", ".join(parts)

    def facts(self, price: float) -> ItemFacts:
        """What the fold needs. price: in the shop's currency, NaN when unknown."""
        # What is free has no logarithm, and tells nothing of what a shopper pays. NaN > 0 is false.
        log_price = math.log(price) if price > 0 else math.nan
        return ItemFacts(self.category_levels, self.brand, log_price)


def category_path(category: str) -> str:
    """The catalogue's writing of a category path as somebody typed it: "A>B " is "A > B"."""
    levels = Item("", "", category=category).category_levels
    return levels[-1] if levels else ""


def spaced_path(category: str) -> str:
    """A category path as items write it, whole: "A>B >C" is "A > B > C"."""
    return CATEGORY_SEPARATOR.join(name.strip() for name in category.split(">") if name.strip())


def content_key(text: str) -> int:
    """A 63-bit key of an item's text: the same text has the same encoding, whatever its id."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
