"""What is asked of the ranking path: by whom and when, and where the candidates come from."""

from dataclasses import dataclass, field
from enum import StrEnum

from features.arrays import FloatArray
from features.events.event import EventType
from serving.search.cursor import NOTHING_SHOWN, Cursor
from serving.search.filters import Filters
from serving.search.recommender import Likeness
from serving.search.understanding.wishes import Understood
from serving.shops.placements.placement import Strategy
from serving.shops.rules import Boost
from serving.types import Cause, Reason


class Explain(StrEnum):
    """How much an answer tells of itself; the next one tells all of the one before."""

    NO = ""
    REASONS = "reasons"
    FEATURES = "features"  # the columns that the ranker read
    WITHOUT_HISTORY = "without_history"  # where each item would stand for somebody unknown


@dataclass(frozen=True, slots=True)
class Context:
    """What a request is about. Ids of user and session are pseudonyms.

    at_s: unix seconds that "now" means; deadline_s: on the monotonic clock
    boosts: beside those of the rules; max_boost: how far all of them together may move an item;
    user_context: a sentence about what is wanted, as the shopper wrote it; understood: what it asks
    for, and leanings: what of it lifts items, once it was read (wishes.py); personal: False: the
    answer is everybody's: there are no ids, and nothing is left to chance
    """

    ranking_id: str
    at_s: float
    deadline_s: float
    user_id: str | None = None
    session_id: str | None = None
    query: str | None = None
    limit: int | None = None
    offset: int = 0  # places of the slate that are left out before it begins
    explain: Explain = Explain.NO
    locale: str | None = None
    device: str | None = None
    page: str | None = None  # as the caller says; no page of the rules
    placement: str | None = None  # of the rules
    page_id: str | None = None  # of the composed page that the slate is a shelf of
    boosts: tuple[Boost, ...] = ()
    max_boost: float = 0.0
    user_context: str | None = None
    understood: Understood | None = None
    leanings: tuple[Boost, ...] = ()
    personal: bool = True

    @property
    def why_unknown(self) -> Reason:
        """Why rules rank where nothing is known of who asks."""
        return Reason.NEW_SHOPPER if self.personal else Reason.NOT_PERSONAL

    def part(self, n: int) -> slice:
        """The places that are asked for of a slate of `n`."""
        return slice(self.offset, self.offset + (n if self.limit is None else self.limit))


@dataclass(frozen=True, slots=True)
class Given:
    """The caller brings the candidates. retrieval_score: float32 (n,), NaN = came without one."""

    item_ids: list[str]
    retrieval_score: FloatArray
    filters: Filters | None = None


class Sort(StrEnum):
    """What a search is ordered by."""

    RELEVANCE = "relevance"  # and, within it, by what the shopper prefers
    PRICE_ASC = "price_asc"
    PRICE_DESC = "price_desc"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Search:
    """Candidates are found for the query; without one, for the shopper: browsing.

    shown: on earlier pages; facets: names to be counted over all that is found; looks: float32
    (d,), of a picture that items are to look like; collapse: of what shows the same picture, only
    the best
    """

    query: str
    filters: Filters | None = None
    sort: Sort = Sort.RELEVANCE
    shown: Cursor = NOTHING_SHOWN
    facets: tuple[str, ...] = ()
    looks: FloatArray | None = field(default=None, compare=False)
    collapse: bool = False


@dataclass(frozen=True, slots=True)
class Recommend:
    """Candidates are chosen for the shopper; or are like the seeds; or go with the cart.

    strategy: of a placement that says where they come from instead; of: what was done with the item
    that `because` is like, which stands in for the seeds; at_most: candidates; None: as usual
    by: in what alone they are like the seeds; collapse: as of a search
    """

    seed_item_ids: tuple[str, ...] = ()
    filters: Filters | None = None
    cart_item_ids: tuple[str, ...] = ()
    strategy: Strategy | None = None
    of: Cause | None = None
    at_most: int | None = None
    by: Likeness | None = None
    collapse: bool = False


Source = Given | Search | Recommend


def seeds_of(source: Source) -> dict[str, EventType]:
    """The items that the request asks about, and what was done with them; they stand for the
    session's recent items."""
    if not isinstance(source, Recommend):
        return {}
    viewed = dict.fromkeys(source.seed_item_ids, EventType.VIEW)
    return viewed | dict.fromkeys(source.cart_item_ids, EventType.ADD_TO_CART)
