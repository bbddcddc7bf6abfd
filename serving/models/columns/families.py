"""The columns that a score follows from, in a few families that a person knows.

A published version carries a copy: it tells what each family adds to a score
(runtime/contributions.py), by the names of its own columns.
"""

from collections.abc import Sequence
from enum import StrEnum


class Family(StrEnum):
    """What a score is told to follow from, on the wire and in the order of CONTRIBUTIONS."""

    QUERY_MATCH = "query_match"
    BOUGHT_BEFORE = "bought_before"
    LOOKED_AT_LATELY = "looked_at_lately"
    TASTE = "taste"  # kinds, brands and words that the shopper chooses, and who chooses alike
    POPULARITY = "popularity"
    PRICE = "price"
    NEWNESS = "newness"
    OTHER = "other"  # columns that this table does not know


FAMILIES = tuple(Family)

# The first beginning that fits a column's name says its family.
_BEGINNINGS = (
    ("user_price_distance", Family.PRICE),
    ("session_price_distance", Family.PRICE),
    ("item_log_price", Family.PRICE),
    ("item_age_days", Family.NEWNESS),
    ("item_idle_days", Family.NEWNESS),
    ("retrieval_", Family.QUERY_MATCH),
    ("has_query", Family.QUERY_MATCH),
    ("query_words", Family.QUERY_MATCH),
    ("text_query", Family.QUERY_MATCH),
    ("user_times_bought", Family.BOUGHT_BEFORE),
    ("user_days_since_bought", Family.BOUGHT_BEFORE),
    ("user_repeat_due", Family.BOUGHT_BEFORE),
    ("user_share_of_bought", Family.BOUGHT_BEFORE),
    ("user_buy_rate", Family.BOUGHT_BEFORE),
    ("text_bought_", Family.BOUGHT_BEFORE),
    ("user_recency_rank", Family.LOOKED_AT_LATELY),
    ("text_user_", Family.LOOKED_AT_LATELY),
    ("session_", Family.LOOKED_AT_LATELY),
    ("text_session_", Family.LOOKED_AT_LATELY),
    ("user_", Family.TASTE),
    ("item_", Family.POPULARITY),
    ("slate_", Family.POPULARITY),
)
# The baseline is an item of which nothing is known, for somebody of whom nothing is: all columns
# unknown, but those that say so by a zero.
ZERO_WHEN_UNKNOWN = frozenset({"user_interactions", "session_interactions", "has_query"})


def family_of(column: str) -> Family:
    """The family of a column, by its name."""
    for beginning, family in _BEGINNINGS:
        if column.startswith(beginning):
            return family
    return Family.OTHER


def families_of(columns: Sequence[str]) -> list[int]:
    """The place in FAMILIES of each column's family."""
    return [FAMILIES.index(family_of(column)) for column in columns]
