"""The values that the ranking path passes along; each is complete when it is made."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray, FloatArray, RowArray
from features.behavior.history import ItemHistory
from features.behavior.matrix import COLUMN, Histories, Shopper
from serving.experiments.assignment import Assignment
from serving.search.cursor import NOTHING_SHOWN, Cursor
from serving.search.facets import Facets
from serving.search.filters import Filters
from serving.search.relevance import Matches
from serving.types import Reason, Route, Scores


@dataclass(frozen=True, slots=True)
class Context:
    """What a request is about. Ids of user and session are pseudonyms.

    at_s: unix seconds that "now" means; deadline_s: on the monotonic clock
    """

    ranking_id: str
    at_s: float
    deadline_s: float
    user_id: str | None = None
    session_id: str | None = None
    query: str | None = None
    limit: int | None = None
    offset: int = 0  # places of the slate that are left out before it begins
    explain: bool = False
    locale: str | None = None
    device: str | None = None
    placement: str | None = None

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

    shown: on earlier pages; facets: names to be counted over all that is found
    """

    query: str
    filters: Filters | None = None
    sort: Sort = Sort.RELEVANCE
    shown: Cursor = NOTHING_SHOWN
    facets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recommend:
    """Candidates are chosen for the shopper, or are like the seeds where there are any."""

    seed_item_ids: tuple[str, ...] = ()
    filters: Filters | None = None


Source = Given | Search | Recommend


def seeds_of(source: Source) -> tuple[str, ...]:
    """The items that the request asks about; they stand for the session's recent items."""
    return source.seed_item_ids if isinstance(source, Recommend) else ()


@dataclass(frozen=True, slots=True)
class Found:
    """Beside the candidates of a search. total: items found, at least; more: than the candidates;
    nearest: item ids and their relevance, when nothing was relevant enough."""

    total: int
    more: bool = False
    facets: Facets = field(default_factory=Facets)
    nearest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """The items to be ranked.

    rows: int64 (n,) of the shop's table, -1 = not in it; retrieval_score: float32 (n,), NaN = none;
    matches: with the query; None: there is none; sort_key: float64 (n,), lowest first, where the
    caller wants another order than ours; found: what else a search tells
    """

    item_ids: list[str]
    rows: RowArray
    retrieval_score: FloatArray
    matches: Matches | None = None
    sort_key: DoubleArray | None = None
    found: Found | None = None

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def relevance(self) -> FloatArray | None:
        """R of each, float32 (n,); None without a query."""
        return None if self.matches is None else self.matches.values


_NOBODY = Shopper()


@dataclass(frozen=True, slots=True)
class Known:
    """The online store holds something of the user, of the session, or of both."""

    states: Shopper


@dataclass(frozen=True, slots=True)
class Unknown:
    """The online store holds nothing, or the request names nobody."""

    states: Shopper = _NOBODY


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The online store did not answer in time."""

    states: Shopper = _NOBODY


ShopperState = Known | Unknown | Unavailable


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the shopper's need: the states, and the catalogue rows that they keep.

    Where a request names seeds, they stand in the session's place.
    """

    states: Shopper
    histories: Histories

    @property
    def user_history(self) -> ItemHistory:
        """Of the user."""
        return self.histories[0]

    @property
    def session_history(self) -> ItemHistory:
        """Of the session."""
        return self.histories[1]

    @property
    def interactions(self) -> int:
        """Of user and session together."""
        states = (self.states.user, self.states.session)
        return sum(state.n_interactions for state in states if state is not None)


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """What is known of a request's candidates, one row each.

    rows:          int64 (n,), place in the catalogue, -1 = not in it
    values:        float32 (n, n_features), columns of matrix.FEATURE_NAMES, NaN = unknown
    category:      int32 (n, levels), -1 = none; brand: int32 (n,), -1 = none
    exposure:      float32 (n,), decayed count of examinations and interactions
    """

    rows: RowArray
    values: FloatArray
    category: npt.NDArray[np.int32]
    brand: npt.NDArray[np.int32]
    exposure: FloatArray

    def take(self, rows: RowArray) -> "FeatureMatrix":
        """Only the candidates in `rows`."""
        return replace(
            self,
            rows=self.rows[rows],
            values=self.values[rows],
            category=self.category[rows],
            brand=self.brand[rows],
            exposure=self.exposure[rows],
        )

    @property
    def query_match(self) -> FloatArray:
        """Share of the query's words that the item has, float32 (n,); NaN without a query."""
        # Without one, the column tells of the session's last query.
        has_query = self.values[:, COLUMN["has_query"]] > 0
        return np.where(has_query, self.values[:, COLUMN["query_words"]], np.float32(np.nan))

    @property
    def deepest_category(self) -> npt.NDArray[np.int32]:
        """The deepest level that each item has, int32 (n,), -1 = none."""
        depth = (self.category >= 0).sum(axis=1)
        deepest = self.category[np.arange(len(depth)), np.maximum(depth - 1, 0)]
        return np.where(depth > 0, deepest, -1).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Slate:
    """The answer, in order. `order` holds indices into the candidates.

    values: float32 (n,), what the candidates were ordered by before diversity, pins and exploration
    propensity: float32 (len(order),), probability that the policy put the item at its place
    notes: candidate index -> rules that moved it
    """

    context: Context
    assignment: Assignment
    candidates: Candidates
    features: FeatureMatrix
    scores: Scores
    values: FloatArray
    order: npt.NDArray[np.int64]
    propensity: FloatArray
    notes: dict[int, list[str]]
    route: Route
    reason: Reason | None = None
