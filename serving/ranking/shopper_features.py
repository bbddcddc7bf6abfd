"""What the ranker and the rules need to know of one request.

One Feast read for the shopper, array look-ups for the items (docs/adr/0003).
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from features.arrays import FloatArray, RowArray
from features.behavior.fold import fold
from features.behavior.history import ItemHistory, bought_items
from features.behavior.matrix import Shopper, behavior_features
from features.behavior.state import SESSION_BOUNDS, BehaviorState
from features.catalog.counters import HALF_LIFE, Counter
from features.catalog.table import ItemTable
from features.events.event import BehaviorEvent, EventType
from serving.experiments.assignment import Assignment
from serving.models.contract import MAX_TOKENS, Tensors, request_tensors
from serving.models.limits import CandidateLimits, PublishedLimits
from serving.models.tokenizer import Tokenizer
from serving.ranking.request import Context, Source, seeds_of
from serving.ranking.settings import PipelineSettings
from serving.ranking.values import (
    Candidates,
    Evidence,
    FeatureMatrix,
    Known,
    ShopperState,
    Unavailable,
    Unknown,
)
from serving.search.pictures.match import LooksLike, looks_like
from serving.shops.shop import Shop
from serving.telemetry.metrics import FEATURE_READ_SECONDS

_EXPOSURE_HALF_LIFE = HALF_LIFE["30d"]
_LEAST_BUDGET_S = 0.001
_NO_QUERY = np.zeros((1, 1), np.int16)  # as the tokenizer has it

_Number = TypeVar("_Number", bound=np.generic)


class ShopperFeatures:
    """Reads who asks, and makes the columns and the model's tensors of a request."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        limits: PublishedLimits,
        settings: PipelineSettings,
        candidates: CandidateLimits | None = None,
    ) -> None:
        """limits: of the version in use; candidates: of others; None: as of the one in use."""
        self._tokenizer = tokenizer
        self._limits = limits
        self._candidates = candidates
        self._settings = settings
        # Feast's read of SQLite blocks; the event loop must not wait for a disk.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="feast")

    async def read(
        self, shop: Shop, context: Context, at_most_s: float | None = None
    ) -> ShopperState:
        """ONE read of the online store, within half of what is left; at_most_s: else a setting."""
        if context.user_id is None and context.session_id is None:
            return Unknown()
        left_s = context.deadline_s - time.monotonic()
        at_most_s = self._settings.features_budget_s if at_most_s is None else at_most_s
        budget_s = max(_LEAST_BUDGET_S, min(at_most_s, left_s / 2))
        started_s = time.perf_counter()
        outcome = "ok"
        read = asyncio.get_running_loop().run_in_executor(
            self._pool,
            shop.shoppers.read_shopper,
            context.user_id,
            context.session_id,
            context.at_s,
        )
        try:
            states = await asyncio.wait_for(read, budget_s)
        except TimeoutError:
            outcome = "timeout"
            return _unavailable()
        except Exception:
            outcome = "error"
            return _unavailable()
        finally:
            spent_s = time.perf_counter() - started_s
            FEATURE_READ_SECONDS.labels(outcome=outcome).observe(spent_s)
        return Unknown() if states == Shopper() else Known(states)

    def evidence(self, shop: Shop, context: Context, states: Shopper, source: Source) -> Evidence:
        """The states with their items as rows; seeds stand in the session's place."""
        table, seeds, asking = shop.items.table, seeds_of(source), states
        if seeds:
            states = Shopper(states.user, _seeded(seeds, context.at_s, table))
        return Evidence(states, states.histories(table), asking)

    def matrix(
        self,
        shop: Shop,
        context: Context,
        candidates: Candidates,
        evidence: Evidence,
        assignment: Assignment | None = None,
    ) -> FeatureMatrix:
        """The request's candidates with what is known of them.

        assignment: says whether it counts what an item looks like; None: it does not
        """
        reach = assignment.looks_reach if assignment is not None else 0.0
        table, counters = shop.items.table, shop.items.counters
        rows, counts = candidates.rows, None
        exposure = np.full(len(rows), np.inf, np.float32)
        if len(counters):
            counts = counters.at(np.maximum(rows, 0), context.at_s)
            exposure = counts[:, : Counter.RETURN, _EXPOSURE_HALF_LIFE].sum(axis=1)
            exposure[rows < 0] = np.inf
        return FeatureMatrix(
            rows=rows,
            values=behavior_features(
                evidence.states,
                table,
                counters,
                rows,
                context.at_s,
                candidates.retrieval_score,
                query=context.query,
                histories=evidence.histories,
                counts=counts,
            ),
            category=_pick(table.category, rows),
            brand=_pick(table.brand, rows),
            exposure=exposure,
            prior=shop.items.prior_of(rows),
            looks=_looks(shop, rows, exposure, evidence, reach) if reach else None,
        )

    def tensors(
        self,
        shop: Shop,
        context: Context,
        evidence: Evidence,
        features: FeatureMatrix,
        version: str | None = None,
        explained: bool = False,
    ) -> Tensors:
        """What a version of the ranker reads, no more than it says (contract.INPUTS); None: the
        one in use. explained: whether what families of columns add is asked for."""
        in_use = limits = self._limits.current
        if version is not None and self._candidates is not None:
            limits = self._candidates.of(version)
        bought, purchases = bought_items(evidence.user_history, context.at_s, limits.bought_history)
        # To encode it takes the model server longer than all the rest of a ranking. The version in
        # use answers for one that is not loaded.
        query_tokens = max(limits.query_tokens, in_use.query_tokens)
        read = context.query if query_tokens or context.explain else None
        return request_tensors(
            shop.items.texts_of,
            self._tokenizer.tokens([read], query_tokens or MAX_TOKENS) if read else _NO_QUERY,
            _newest(evidence.user_history, limits.user_history),
            _newest(evidence.session_history, limits.session_history),
            bought,
            purchases,
            features.rows,
            features.values,
            explained,
        )


def _looks(
    shop: Shop, rows: RowArray, exposure: FloatArray, evidence: Evidence, reach: float
) -> LooksLike | None:
    """Of the candidates that were seen less than `reach`."""
    if shop.retrieval.pictures is None:
        return None
    histories = evidence.asking.histories(shop.items.table)
    return looks_like(shop.retrieval.pictures, histories, np.where(exposure < reach, rows, -1))


def _unavailable() -> Unavailable:
    trace.get_current_span().set_status(StatusCode.ERROR)
    return Unavailable()


def _newest(history: ItemHistory, at_most: int) -> RowArray:
    """Rows of the newest recent items that the catalogue still knows, newest first."""
    return history.recent[history.recent >= 0][:at_most]


def _seeded(seeds: Mapping[str, EventType], at_s: float, table: ItemTable) -> BehaviorState:
    """A session that has done this with the seeds, with the first one last, and nothing else."""
    state = BehaviorState()
    for age, (item_id, kind) in enumerate(seeds.items()):
        event = BehaviorEvent("seed", kind, at_s - age, item_id=item_id)
        fold(state, event, table.facts.get(item_id), SESSION_BOUNDS)
    return state


def _pick(column: np.ndarray[Any, np.dtype[_Number]], rows: RowArray) -> npt.NDArray[_Number]:
    """Values of `rows`; -1 for a row of -1, whatever the last row holds."""
    if len(column) == 0:
        return np.full((len(rows), *column.shape[1:]), -1, column.dtype)
    out: npt.NDArray[_Number] = column.take(rows, axis=0)
    out[rows < 0] = -1
    return out
