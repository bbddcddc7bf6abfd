"""Why an item stands where it stands, and what a sentence was read as, on the wire."""

from typing import Literal

from pydantic import Field

from serving.http.schemas.wire import Wire
from serving.ranking.request import Explain
from serving.search.understanding.wishes import Wanted, Why
from serving.types import Cause


class BecauseOut(Wire):
    """An item that the shopper knows and that speaks for another."""

    item_id: str
    title: str
    kind: Cause


ExplainBy = bool | Literal["features", "without_history"]


def explain_of(asked: ExplainBy) -> Explain:
    """As the ranking path has it."""
    if isinstance(asked, bool):
        return Explain.REASONS if asked else Explain.NO
    return Explain(asked)


class WithoutHistory(Wire):
    """Where the item would stand among the same candidates for somebody whom the shop does not
    know."""

    position: int
    words: str


class Explanation(Wire):
    """Why an item stands where it stands."""

    reasons: list[str] = Field(
        [], description="At most three, in words, in the language of the request or of the shop."
    )
    baseline: float | None = Field(
        None,
        description="The score of an item of which nothing is known, for somebody of whom nothing "
        "is; by rules: of the mean candidate. null: the score is no such sum, or it was not told.",
    )
    contributions: dict[str, float] | None = Field(
        None, description="What each family adds to `baseline`; together they are the `score`."
    )
    without_history: WithoutHistory | None = Field(
        None, description='With `explain` "without_history", of a shopper who is known.'
    )
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
    features: dict[str, float] = Field(
        description='The features the ranker saw, known ones only; {} but with "features".'
    )
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


class InExperiment(Wire):
    """An arm that the shopper belongs to."""

    experiment: str
    variant: str
