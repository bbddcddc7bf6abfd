"""The event contract: what a shopper did, as it is stored and folded.

BehaviorEvent is the declaration of an event's fields; stores and data sets derive theirs from it
(`features.events.codec`).

Times are unix seconds (float, UTC) inside; RFC 3339 only on the wire. User and session ids are
already pseudonyms here: the raw ids never get past the ingress.
"""

from dataclasses import dataclass, field
from enum import StrEnum

MAX_AGE_S = 400 * 86_400.0  # what is older is not accepted, and all that is accepted is folded
MAX_AHEAD_S = 600.0  # clocks of shoppers' devices differ: until then it happened now


class EventType(StrEnum):
    """Closed set of behaviours; the names are the wire's."""

    IMPRESSION = "impression"
    VIEW = "view"
    CLICK = "click"
    ADD_TO_CART = "add_to_cart"
    PURCHASE = "purchase"
    RETURN = "return"
    DWELL = "dwell"
    SEARCH = "search"
    SIGN_IN = "sign_in"  # a session turns out to be a user's
    HIDE = "hide"  # not interested: the item is not to be shown to this shopper
    UNHIDE = "unhide"
    HELPFUL = "helpful"  # an answer to a question was
    NOT_HELPFUL = "not_helpful"
    HANDED_OVER = "handed_over"  # a human took the question over
    FORGET = "forget"  # an interest is to be known no more


# Of answers to questions (docs/answers.md), not of items: they are kept, and nothing is folded.
OF_ANSWERS = frozenset({EventType.HELPFUL, EventType.NOT_HELPFUL, EventType.HANDED_OVER})

# May be of a brand or a category instead of an item.
OF_KINDS = frozenset({EventType.HIDE, EventType.UNHIDE, EventType.FORGET})

TRANSPORT = "transport"  # marks a field that is none of the behaviour


@dataclass(frozen=True, slots=True)
class BehaviorEvent:
    """One thing a shopper did, or was shown."""

    event_id: str
    type: EventType
    at_s: float  # when it happened, unix seconds
    user_id: str | None = None
    session_id: str | None = None
    item_id: str | None = None  # required but of search, sign_in, forget, answers, kinds
    query: str | None = None
    ranking_id: str | None = None  # the ranking that showed the item
    position: int | None = None  # 1-based place in that slate
    value: float | None = None  # money: unit price times quantity, shop currency
    dwell_ms: int | None = None
    answer_id: str | None = None  # the answer that was judged, or that a human gave
    brand: str | None = None  # of a hide, unhide or forget: not one item, but all of the brand
    category: str | None = None  # the same of a category path, with all below it
    consent: int | None = None  # 1: whoever told it says that the shopper had agreed to it
    # W3C trace of the post, when sampled: the write of its features joins it.
    traceparent: str | None = field(default=None, metadata={TRANSPORT: True})
    # Its position when it was first folded, without its item, which the catalogue did not know yet:
    # this is the rest of it (features.ingest.waiting).
    held_seq: int | None = field(default=None, metadata={TRANSPORT: True})


def sign_in(user_id: str, session_id: str, at_s: float) -> BehaviorEvent:
    """That the session is the user's; told twice, it is one event."""
    event_id = f"sign-in:{session_id}:{user_id}"
    return BehaviorEvent(event_id, EventType.SIGN_IN, at_s, user_id, session_id)
