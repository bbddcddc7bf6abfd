"""The values that the ranking path passes along; each is complete when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray, FloatArray, RowArray
from features.behavior.history import ItemHistory
from features.behavior.matrix import COLUMN, Histories, Shopper
from serving.experiments.assignment import Assignment
from serving.experiments.draw import Asked
from serving.ranking.explaining.told import Because, Told
from serving.ranking.request import Context, Source
from serving.ranking.slate.held import Held
from serving.search.facets import Facets
from serving.search.pictures.match import LooksLike
from serving.search.relevance import Matches
from serving.shops.shop import Shop
from serving.telemetry.stages import Stages
from serving.types import Exclusion, Reason, Route, Scores


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

    def take(self, places: RowArray) -> "Candidates":
        """Only those at `places`, in their order."""
        return replace(
            self,
            item_ids=[self.item_ids[place] for place in places.tolist()],
            rows=self.rows[places],
            retrieval_score=self.retrieval_score[places],
            matches=self.matches and self.matches.take(places),
            sort_key=None if self.sort_key is None else self.sort_key[places],
        )

    @property
    def relevance(self) -> FloatArray | None:
        """R of each, float32 (n,); None without a query."""
        return None if self.matches is None else self.matches.values


NOBODY = Shopper()


@dataclass(frozen=True, slots=True)
class Known:
    """The online store holds something of the user, of the session, or of both."""

    states: Shopper


@dataclass(frozen=True, slots=True)
class Unknown:
    """The online store holds nothing, or the request names nobody."""

    states: Shopper = NOBODY


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The online store did not answer in time."""

    states: Shopper = NOBODY


ShopperState = Known | Unknown | Unavailable


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the shopper's need: the states, and the catalogue rows that they keep.

    Where a request names seeds, they stand in the session's place; asking: the states as they are.
    """

    states: Shopper
    histories: Histories
    asking: Shopper

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
    prior:         float32 (n,), purchases that an item counts for by what its shop's group shares;
                   None: nothing is shared
    looks:         what they look like of what the shopper chose; None: no rule asks, or no picture
                   is known
    """

    rows: RowArray
    values: FloatArray
    category: npt.NDArray[np.int32]
    brand: npt.NDArray[np.int32]
    exposure: FloatArray
    prior: FloatArray | None = None
    looks: LooksLike | None = None

    def take(self, rows: RowArray) -> "FeatureMatrix":
        """Only the candidates in `rows`."""
        return replace(
            self,
            rows=self.rows[rows],
            values=self.values[rows],
            category=self.category[rows],
            brand=self.brand[rows],
            exposure=self.exposure[rows],
            prior=None if self.prior is None else self.prior[rows],
            looks=self.looks and self.looks.take(rows),
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
        deepest = self.category[:, 0].copy()
        for level in self.category.T[1:]:
            np.copyto(deepest, level, where=level >= 0)
        return deepest


@dataclass(frozen=True, slots=True)
class Resolved:
    """A request with all that scoring it needs."""

    shop: Shop
    context: Context
    source: Source
    shopper: ShopperState
    asked: Asked
    assignment: Assignment
    candidates: Candidates
    evidence: Evidence
    features: FeatureMatrix
    stages: Stages
    exclusion: Exclusion | None = None
    because: Because | None = None  # see Slate.reminder


class Judged(NamedTuple):
    """A request with scores of all its candidates. rival: those of the second of two arms that are
    to share the slate with the first."""

    resolved: Resolved
    scores: Scores
    route: Route
    reason: Reason | None
    rival: Scores | None = None


@dataclass(frozen=True, slots=True)
class Slate:
    """The answer, in order. `order` holds indices into the candidates.

    values: float32 (n,), what the candidates were ordered by before diversity, pins and exploration
    propensity: float32 (len(order),), probability that the policy put the item at its place, given
    what stands before (slate/exploration.py)
    notes: candidate index -> rules that moved it
    exclusion: whether purchases were left out; None: nobody asked
    because: candidate index -> what the shopper knows that speaks for it; only to be explained
    teams: int8 (len(order),), of interleaved orders: whose pick, 0, 1, -1 = a rule's; else None
    model_s: that the model server took; None: it has not answered
    reminder: the item of the shopper's history that all of them are like, where a placement asks so
    floors: what each floor of exposure did that the candidates have an item of
    owed: float32 (n,), what floors of exposure lifted candidates by, in spreads; None: by nothing
    told: candidate index -> reasons and contributions; {} where nobody asked
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
    exclusion: Exclusion | None = None
    because: Mapping[int, Because] = field(default_factory=dict)
    teams: npt.NDArray[np.int8] | None = None
    model_s: float | None = None
    reminder: Because | None = None
    floors: tuple[Held, ...] = ()
    owed: FloatArray | None = None
    told: Mapping[int, Told] = field(default_factory=dict)

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that `teams` are numbers of; () where no two share the slate."""
        named = self.assignment.teams if self.teams is not None else None
        return tuple(team.arm for team in named or ())
