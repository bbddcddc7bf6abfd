"""What gives those items a chance of which little is known, as the rules say it (docs/rules.md)."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from serving.shops.rule import Rule


class Sampling(Rule):
    """Draws which item stands at a place, good ones more often, instead of taking the best."""

    share: float = Field(0.0, ge=0, le=1, description="Share of rankings that are drawn; 0: off.")
    temperature: float = Field(
        0.25, ge=0.01, le=10, description="In spreads of the slate's scores; higher: more even."
    )
    first: int = Field(1, ge=1, le=100, description="The first place that is drawn.")
    places: int = Field(10, ge=1, le=100, description="How many places are drawn from there on.")
    among: int = Field(
        10, ge=2, le=100, description="The best items left, that a place is drawn of."
    )


class Exploration(Rule):
    """Gives items that were hardly ever seen a measured chance, with known propensities."""

    share: float = Field(0.05, ge=0, le=0.5, description="Share of rankings with one such item.")
    position: int = Field(6, ge=1)
    max_exposure: float = Field(
        5.0, ge=0, description="Seen at most this often (decayed, 30 days)."
    )
    choice: Literal["evenly", "thompson"] = Field(
        "evenly", description="Which of them; thompson: the likelier it beats what stands there."
    )
    epsilon: float = Field(
        0.1, gt=0, lt=0.5, description="That chance for an item never seen; only with thompson."
    )
    sampling: Sampling = Sampling()

    @model_validator(mode="after")
    def _epsilon_counts(self) -> "Exploration":
        if "epsilon" in self.model_fields_set and self.choice != "thompson":
            raise ValueError("epsilon counts only with choice: thompson")
        return self


class Looks(Rule):
    """What hardly anyone has seen steps up when it looks like what its shopper chose."""

    strength: float = Field(
        0.0, ge=0, le=10, description="Spreads of the slate's scores, at most; 0: off."
    )
    max_exposure: float = Field(
        50.0, gt=0, description="Seen so often (decayed, 30 days), an item is not lifted any more."
    )

    @property
    def reach(self) -> float:
        """The exposure below which it lifts; 0 when it is off."""
        return self.max_exposure if self.strength > 0 else 0.0


class Floor(Rule):
    """A share of exposure that some items are to have at least, over many rankings."""

    name: str = Field(
        min_length=1, max_length=64, description="As metrics and GET /v1/transparency call it."
    )
    newer_than_days: float | None = Field(None, gt=0, description="First seen so lately.")
    brand: str | None = None
    category: str | None = Field(None, description="A category path or a prefix of one.")
    seller: str | None = Field(None, description="The attribute `seller` of the items.")
    share: float = Field(gt=0, le=0.5, description="Of exposure in rankings that offer one.")
    price: float = Field(0.01, gt=0, le=1, description="Mean NDCG that it may take, at most.")
    most_lift: float = Field(3.0, gt=0, le=10, description="In spreads of the slate's scores.")
    depth: int = Field(10, ge=1, le=100, description="Places whose exposure counts.")

    @model_validator(mode="after")
    def _some_items(self) -> "Floor":
        named = self.brand or self.category or self.seller
        if self.newer_than_days is None and not named:
            raise ValueError("a floor needs newer_than_days, brand, category or seller")
        return self


def _named_apart(floors: tuple[Floor, ...]) -> tuple[Floor, ...]:
    names = [floor.name for floor in floors]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two floors are called {twice!r}")
    return floors


Floors = Annotated[tuple[Floor, ...], AfterValidator(_named_apart)]
NOTHING_LEFT_TO_CHANCE = Exploration(share=0)
