"""Why an item stands where it stands, on the wire."""

from pydantic import Field

from serving.http.schemas.wire import Wire
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
