"""Products of several variants as one item each: what shoppers compare are products.

With an item for each variant, a shoe in eight sizes and five colours would fill a page of results
with itself, and its clicks would be spread over forty items. So a product is found by the options
and codes of all its variants, costs what the cheapest one costs that can be bought, and is sold out
when all are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from features.datasets.feeds.values import joined, sale_attributes, told


@dataclass(frozen=True, slots=True)
class Variant:
    """One thing to buy; `options` by name, `codes` are sku, barcode, gtin and the like."""

    regular: float  # NaN when unknown
    sale: float  # NaN when it is on no sale
    available: bool
    options: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    @property
    def price(self) -> float:
        """What it costs now."""
        return self.sale if self.sale < self.regular else self.regular


@dataclass(frozen=True, slots=True)
class Offer:
    """What the variants of one product say together."""

    price: float
    available: bool
    attributes: dict[str, str]


def offer_of(variants: Sequence[Variant]) -> Offer:
    """The offer of at least one variant."""
    on_hand = [variant for variant in variants if variant.available] or list(variants)
    priced = [variant for variant in on_hand if variant.price == variant.price]
    cheapest = min(priced or on_hand, key=lambda variant: variant.price)
    attributes: dict[str, str] = {}
    for part in ("options", "codes"):
        names = dict.fromkeys(name for variant in variants for name in getattr(variant, part))
        attributes |= {
            name: joined(getattr(variant, part).get(name, "") for variant in variants)
            for name in names
        }
    if cheapest.sale < cheapest.regular:
        attributes |= sale_attributes(cheapest.regular, cheapest.sale)
    available = any(variant.available for variant in variants)
    return Offer(cheapest.price, available, told(attributes))
