"""What a sentence was understood to ask for, and what of it was not."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from serving.search.filters import Filters


class Wanted(StrEnum):
    """What a wish is about."""

    PRICE = "price"
    BRAND = "brand"
    CATEGORY = "category"
    EXCLUDE_BRAND = "exclude_brand"
    WITHOUT = "without"  # words that no item may have
    ATTRIBUTE = "attribute"
    AUDIENCE = "audience"


class Why(StrEnum):
    """Why some words of a sentence change nothing."""

    NOT_UNDERSTOOD = "not_understood"
    NOT_IN_CATALOGUE = "not_in_catalogue"
    UNKNOWN_CURRENCY = "unknown_currency"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that is asked for.

    words: of the sentence, as they were written; required: items that do not meet it are left out,
    else those that do are lifted; name: of an attribute, "" = the values are category paths;
    values: any of which will do, as the catalogue writes them; prices in the shop's currency;
    item_ids: that have what is unwanted; relaxed: nothing met it, so it was let go
    """

    wanted: Wanted
    words: str
    required: bool = False
    name: str = ""
    values: tuple[str, ...] = ()
    min_price: float | None = None
    max_price: float | None = None
    item_ids: tuple[str, ...] = ()
    relaxed: bool = False

    @property
    def reason(self) -> str:
        """Why it lifts an item, as `explain` tells it."""
        return f'user_context "{self.words}"'


@dataclass(frozen=True, slots=True)
class NotUsed:
    """Words of the sentence that change nothing, as they were written."""

    words: str
    why: Why


# When nothing meets all that is required, these are let go, one after the other, until something
# does. What is unwanted is never shown instead: it may be an allergy.
RELAXED_IN_TURN = (Wanted.CATEGORY, Wanted.BRAND, Wanted.PRICE)


@dataclass(frozen=True, slots=True)
class Understood:
    """A sentence, read in one catalogue."""

    wishes: tuple[Wish, ...] = ()
    not_used: tuple[NotUsed, ...] = ()

    @property
    def filters(self) -> Filters | None:
        """What is required; None: nothing is."""
        required = [wish for wish in self.wishes if wish.required and not wish.relaxed]
        return _filters(required) if required else None

    @property
    def leanings(self) -> tuple[Wish, ...]:
        """What lifts items, and leaves none out."""
        return tuple(wish for wish in self.wishes if not wish.required)

    @property
    def held(self) -> list[str]:
        """The words that every item of the answer meets."""
        return [wish.words for wish in self.wishes if wish.required and not wish.relaxed]

    def relaxations(self) -> list["Understood"]:
        """This reading with less required, a little less each time."""
        found, current = [], self
        for wanted in RELAXED_IN_TURN:
            let_go = tuple(
                replace(wish, relaxed=True) if wish.required and wish.wanted is wanted else wish
                for wish in current.wishes
            )
            if let_go != current.wishes:
                current = replace(current, wishes=let_go)
                found.append(current)
        return found


def _filters(required: Iterable[Wish]) -> Filters:
    of = {
        wanted: tuple(value for wish in required if wish.wanted is wanted for value in wish.values)
        for wanted in (Wanted.BRAND, Wanted.CATEGORY, Wanted.EXCLUDE_BRAND)
    }
    least = [wish.min_price for wish in required if wish.min_price is not None]
    most = [wish.max_price for wish in required if wish.max_price is not None]
    return Filters(
        categories=of[Wanted.CATEGORY] or None,
        brands=of[Wanted.BRAND] or None,
        exclude_brands=of[Wanted.EXCLUDE_BRAND],
        min_price=max(least, default=None),
        max_price=min(most, default=None),
        exclude_item_ids=tuple(item_id for wish in required for item_id in wish.item_ids),
        available=None,  # that is for the request to say
        known=True,
    )
