"""The pack size at the end of a grocery title, compared by amount and typed as shoppers do."""

import random
import re
from dataclasses import dataclass
from typing import Self

_SIZE = re.compile(
    r", (?:(?P<pieces>\d+) x |(?P<count>\d+) (?:pack|count|piece), )?"
    r"(?P<amount>\d+ \d/\d|\d/\d|[\d.]+) (?P<unit>oz|lb|gal|qt|pt|L|ml|count|pack|loads|dozen)"
    r"(?:, (?P<packed>\d+) (?:pack|count))?$"
)
# A pound and a gallon in the ounces of the one and of the other: no type has both.
_BASE = {"lb": ("oz", 16.0), "gal": ("oz", 128.0), "qt": ("oz", 32.0), "pt": ("oz", 16.0),
         "ml": ("L", 0.001), "dozen": ("count", 12.0), "pack": ("count", 1.0)}  # fmt: skip
_TYPED = {
    "oz": ("oz", "ounce"), "lb": ("lb", "pound"), "gal": ("gallon",), "qt": ("quart",),
    "pt": ("pint",), "L": ("liter",), "count": ("count", "ct"), "pack": ("pack", "pk"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class PackSize:
    """`pieces` of `amount` `unit` each, as the title writes them."""

    pieces: int
    amount: str
    unit: str

    @classmethod
    def of(cls, title: str) -> Self | None:
        """The size of a title that ends with one."""
        found = _SIZE.search(title)
        if found is None:
            return None
        pieces = found["pieces"] or found["count"] or found["packed"] or "1"
        return cls(int(pieces), found["amount"], found["unit"])

    @property
    def each(self) -> tuple[str, float]:
        """Unit and amount of one piece, comparable: 1 lb and 16 oz are the same."""
        whole = sum(_number(part) for part in self.amount.split())
        unit, factor = _BASE.get(self.unit, (self.unit, 1.0))
        return unit, round(whole * factor, 3)

    def same_as(self, other: "PackSize") -> bool:
        """The same pieces of the same amount."""
        return self.pieces == other.pieces and self.each == other.each

    def part_or_whole_of(self, pack: "PackSize") -> bool:
        """Whether a pack of several holds pieces of this size, or this amount, or count, in all."""
        unit, amount = pack.each
        same_unit = self.each[0] == unit
        whole = same_unit and abs(self.each[1] - amount * pack.pieces) < 0.01
        return self.each == pack.each or whole or self.each == ("count", float(pack.pieces))

    def typed(self, rng: random.Random) -> str:
        """As a shopper types it: "1 gallon" for 1 gal, "16 oz", "16oz" or "16 ounce"."""
        if self.unit == "oz" and rng.random() < 0.3:
            return f"{self.amount}oz"
        return f"{self.amount} {rng.choice(_TYPED.get(self.unit, (self.unit,)))}"


def _number(text: str) -> float:
    over, _, under = text.partition("/")
    return float(over) / float(under or 1)
