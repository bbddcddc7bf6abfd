"""Why an item stands where it stands, and what a sentence was read as, on the wire."""

from pydantic import Field

from serving.http.schemas.wire import Wire
from serving.search.understanding.wishes import Wanted, Why
from serving.types import Cause


class BecauseOut(Wire):
    """An item that the shopper knows and that speaks for another."""

    item_id: str
    title: str
    kind: Cause


class Explanation(Wire):
    """Why an item stands where it stands."""

    known_item: bool
    text_match: float | None = Field(
        default=None, description="Cosine of the item's text with the query or the recent items."
    )
    relevance: float | None = Field(
        default=None, description="How likely the item answers the query, 0..1, whoever asks."
    )
    match: dict[str, float] | None = Field(
        default=None, description="What the relevance follows from, by name."
    )
    parts: dict[str, float] = Field(description="What the score is the sum of, by name.")
    features: dict[str, float] = Field(description="The features the ranker saw, known ones only.")
    rules: list[str] = Field(description="Rules that moved the item, in words.")
    because: BecauseOut | None = Field(
        None, description="The item of the shopper's history that speaks most for it."
    )
    drafted_by: str | None = Field(
        None,
        description="The arm whose pick the item is, where two arms share the slate; null: it is "
        "nobody's, or no two do.",
    )
    user_context: list[str] | None = Field(
        None, description="Words of `user_context` that the item meets; null without one."
    )


class WishOut(Wire):
    """One thing that the sentence asks for."""

    wanted: Wanted
    words: str = Field(description="Of the sentence, as they were written.")
    required: bool = Field(description="Items that do not meet it are left out; else it lifts.")
    relaxed: bool = Field(description="Nothing met it, so it was not required after all.")
    attribute: str | None = Field(None, description="Whose `values` are meant.")
    values: list[str] = Field([], description="Any of which will do, as the catalogue has them.")
    min_price: float | None = Field(None, description="In the shop's currency, as is max_price.")
    max_price: float | None = None


class NotUsedOut(Wire):
    """Words that change nothing."""

    words: str
    why: Why


class UnderstoodOut(Wire):
    """A sentence, read."""

    wishes: list[WishOut]
    not_used: list[NotUsedOut]
