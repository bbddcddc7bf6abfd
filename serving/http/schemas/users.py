"""What is known of a shopper, on the wire."""

from datetime import datetime

from serving.http.schemas.wire import Id, Wire


class MergeRequest(Wire):
    """A session that turned out to be a user's."""

    session_id: Id


class UserFeatures(Wire):
    """What is known of a shopper, for an administrator."""

    known: bool
    interactions: int = 0
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    age_s: float | None = None
    counts: dict[str, int] = {}
    recent_items: list[str] = []
    bought_items: list[str] = []
    hidden_items: list[str] = []
    categories: dict[str, float] = {}
    brands: dict[str, float] = {}
    typical_price: float | None = None
    queries: list[str] = []
