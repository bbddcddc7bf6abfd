"""The words and the columns that the serving path passes along."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from features.behavior.history import NO_HISTORY
from features.behavior.matrix import COLUMN, Histories, Shopper

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int64]


class Route(StrEnum):
    """How a ranking came about."""

    MODEL = "model"
    COLD_START = "cold_start"
    FALLBACK = "fallback"


class Reason(StrEnum):
    """Why it was not the model alone, a closed set: it is a metric label."""

    SHORTLIST = "shortlist"  # the model ranked the best by rules: time was short
    NEW_SHOPPER = "new_shopper"
    DEADLINE = "deadline"
    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_OVERLOADED = "model_overloaded"
    BAD_MODEL_OUTPUT = "bad_model_output"
    FEATURES_UNAVAILABLE = "features_unavailable"


class Stage(StrEnum):
    """Where the time of a request goes: span name, metric label and Server-Timing entry."""

    VALIDATE = "validate"
    WAIT = "wait"
    RETRIEVE = "retrieve"
    FEATURES = "features"
    SCORE = "score"
    RULES = "rules"
    SLATE = "slate"


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """One request for a ranking, as columns. Ids of user and session are pseudonyms.

    retrieval_score: float32 (n,), NaN where a candidate came without one
    """

    ranking_id: str
    item_ids: list[str]
    retrieval_score: FloatArray
    at_s: float  # unix seconds that "now" means for this request
    deadline_s: float  # on the monotonic clock
    user_id: str | None = None
    session_id: str | None = None
    query: str | None = None
    seed_item_ids: tuple[str, ...] = ()  # "more like these": stand for the session's recent items
    limit: int | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """What is known of a request's candidates, one row each.

    rows:          int64 (n,), place in the catalogue, -1 = not in it
    values:        float32 (n, n_features), columns of matrix.FEATURE_NAMES, NaN = unknown
    category:      int32 (n, levels), -1 = none; brand: int32 (n,), -1 = none
    exposure:      float32 (n,), decayed count of examinations and interactions
    histories:         rows of the items that the shopper's user and session keep
    """

    rows: RowArray
    values: FloatArray
    category: npt.NDArray[np.int32]
    brand: npt.NDArray[np.int32]
    exposure: FloatArray
    shopper: Shopper = field(default_factory=Shopper)
    histories: Histories = (NO_HISTORY, NO_HISTORY)

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
        asked = self.values[:, COLUMN["has_query"]] > 0
        return np.where(asked, self.values[:, COLUMN["query_words"]], np.float32(np.nan))

    @property
    def deepest_category(self) -> npt.NDArray[np.int32]:
        """The deepest level that each item has, int32 (n,), -1 = none."""
        depth = (self.category >= 0).sum(axis=1)
        deepest = self.category[np.arange(len(depth)), np.maximum(depth - 1, 0)]
        return np.where(depth > 0, deepest, -1).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Texts:
    """What BERT reads for one request. Token ids are int16, zero-padded on the right.

    query: (1, l) zeros when there is none; history: the user's recent items, then the session's,
    then what the user bought, each newest first; purchases: float32 (n_bought, 3) of the latter,
    times bought, days since the first and the last; keys are content keys
    (features.catalog.item.content_key), 0 = no text.
    """

    query_tokens: npt.NDArray[np.int16]
    n_user_history: int
    n_session_history: int
    purchases: FloatArray
    history_keys: RowArray
    history_tokens: npt.NDArray[np.int16]
    item_keys: RowArray
    item_tokens: npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one request's candidates, higher is better.

    values: float32 (n,); parts: float32 (n, n_parts), named by `part_names`, NaN = does not apply
    """

    values: FloatArray
    parts: FloatArray
    part_names: tuple[str, ...]
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class Slate:
    """The answer, in order. `order` holds indices into the request's candidates."""

    request: RankingRequest
    features: FeatureMatrix
    scores: Scores
    order: npt.NDArray[np.int64]
    propensity: FloatArray  # (len(order),) probability that the policy put the item at its place
    notes: dict[int, list[str]]  # candidate index -> rules that moved it
    route: Route
    reason: Reason | None = None
