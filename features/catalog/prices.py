"""What prices are compared in: the one currency of a shop, and what others are worth in it."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, StringConstraints, model_validator

from features.catalog.item import Item

Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


class Prices(BaseModel):
    """A shop's currency and a table of rates. Without a currency, prices are compared as numbers.

    A setting (`store.prices`), and of a data set the `currency` and `rates` of its dataset.json.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # One pattern, not two types: generators of clients read that.
    currency: str = Field(
        "", pattern="^([A-Z]{3})?$", description='ISO 4217, of the shop; "": none.'
    )
    rates: dict[Currency, Annotated[PositiveFloat, Field(allow_inf_nan=False)]] = Field(
        {}, description="What one of another currency is worth in the shop's: {USD: 0.92}."
    )

    @model_validator(mode="after")
    def _rates_of_others(self) -> "Prices":
        if not self.currency and self.rates:
            raise ValueError("rates need a currency to be rates to")
        if self.currency in self.rates:
            raise ValueError(f"rates: {self.currency} is the shop's own currency")
        return self

    def rate(self, currency: str) -> float | None:
        """What one of `currency` is worth; "" is the shop's own. None: nobody knows."""
        if not self.currency or currency.upper() in ("", self.currency):
            return 1.0
        return self.rates.get(currency.upper())

    def of(self, item: Item) -> float:
        """An item's price in the shop's currency; NaN when price or rate is unknown."""
        rate = self.rate(item.currency)
        return math.nan if rate is None else item.price * rate

    def problem(self, currency: str) -> str | None:
        """What is wrong with an item in `currency`, in words; None: nothing."""
        if self.rate(currency) is not None:
            return None
        known = ", ".join(sorted([*self.rates, self.currency]))
        return f"no rate is known for {currency!r}; this shop knows {known}"
