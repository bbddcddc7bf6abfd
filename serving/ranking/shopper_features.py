"""Candidates to FeatureMatrix: one Feast read for the shopper, array look-ups for the items."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from features.behavior.fold import SESSION_BOUNDS, BehaviorState, fold
from features.behavior.history import ItemHistory, bought_items
from features.behavior.matrix import Shopper, behavior_features
from features.catalog.counters import HALF_LIFE, Counter
from features.catalog.table import ItemTable
from features.events.event import BehaviorEvent, EventType
from serving.errors import FeaturesUnavailableError
from serving.ranking.values import FeatureMatrix, RankingRequest, RowArray, Texts
from serving.settings import ModelSettings
from serving.shops.items import ItemCache, TextEncoder
from serving.telemetry.metrics import FEATURE_READ_SECONDS

_EXPOSURE_HALF_LIFE = HALF_LIFE["30d"]

_Number = TypeVar("_Number", bound=np.generic)


class ShopperReader(Protocol):
    """The online store, as far as a ranking needs it. `OnlineFeatures` is one."""

    def read_shopper(
        self, user_id: str | None, session_id: str | None, now_s: float | None = None
    ) -> Shopper:
        """What is known of user and session; raises when the store does not answer.

        With `now_s`, a session that has been idle for too long is not known any more.
        """
        ...


class FeatureLookup:
    """Everything the ranker and the rules need to know of one request."""

    def __init__(
        self, shoppers: ShopperReader, items: ItemCache, encoder: TextEncoder, model: ModelSettings
    ) -> None:
        self._shoppers = shoppers
        self._items = items
        self._encoder = encoder
        self._model = model
        # Feast's read of SQLite blocks; the event loop must not wait for a disk.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="feast")

    async def shopper(self, request: RankingRequest, budget_s: float) -> Shopper:
        """ONE read of the online store; raises FeaturesUnavailableError."""
        if request.user_id is None and request.session_id is None:
            return Shopper()
        started_s = time.perf_counter()
        outcome = "ok"
        read = asyncio.get_running_loop().run_in_executor(
            self._pool,
            self._shoppers.read_shopper,
            request.user_id,
            request.session_id,
            request.at_s,
        )
        try:
            return await asyncio.wait_for(read, budget_s)
        except TimeoutError:
            outcome = "timeout"
            raise FeaturesUnavailableError(f"no answer in {budget_s:.3f} s") from None
        except Exception as error:
            outcome = "error"
            raise FeaturesUnavailableError(f"{type(error).__name__}: {error}") from error
        finally:
            spent_s = time.perf_counter() - started_s
            FEATURE_READ_SECONDS.labels(outcome=outcome).observe(spent_s)

    def matrix(self, request: RankingRequest, shopper: Shopper) -> FeatureMatrix:
        """The request's candidates with what is known of them."""
        table, counters = self._items.table, self._items.counters
        if request.seed_item_ids:
            shopper = Shopper(shopper.user, _seeded(request.seed_item_ids, request.at_s, table))
        histories = shopper.histories(table)
        rows = table.rows(request.item_ids)
        known = rows >= 0
        counts = counters.at(np.maximum(rows, 0), request.at_s) if len(counters) else None
        exposure = (
            np.where(known, counts[:, : Counter.RETURN, _EXPOSURE_HALF_LIFE].sum(axis=1), np.inf)
            if counts is not None
            else np.full(len(rows), np.inf)
        )
        return FeatureMatrix(
            rows=rows,
            values=behavior_features(
                shopper,
                table,
                counters,
                rows,
                request.at_s,
                request.retrieval_score,
                query=request.query,
                histories=histories,
            ),
            category=_pick(table.category, rows),
            brand=_pick(table.brand, rows),
            exposure=exposure.astype(np.float32),
            shopper=shopper,
            histories=histories,
        )

    def texts(self, request: RankingRequest, features: FeatureMatrix) -> Texts:
        """What BERT reads: the query, the recent and the bought items, the candidates."""
        user, session = features.histories
        seen = _newest(user, self._model.user_history)
        now = _newest(session, self._model.session_history)
        bought, purchases = bought_items(user, request.at_s, self._model.bought_history)
        history_keys, history_tokens = self._items.texts_of(np.concatenate([seen, now, bought]))
        item_keys, item_tokens = self._items.texts_of(features.rows)
        return Texts(
            query_tokens=self._encoder.tokens([request.query or ""], self._model.max_query_tokens),
            n_user_history=len(seen),
            n_session_history=len(now),
            purchases=purchases,
            history_keys=history_keys,
            history_tokens=history_tokens,
            item_keys=item_keys,
            item_tokens=item_tokens,
        )


def _newest(history: ItemHistory, at_most: int) -> RowArray:
    """Rows of the newest recent items that the catalogue still knows, newest first."""
    return history.recent[history.recent >= 0][:at_most]


def _seeded(item_ids: tuple[str, ...], at_s: float, table: ItemTable) -> BehaviorState:
    """A session that has looked at the seeds, the first one last, and at nothing else."""
    state = BehaviorState()
    for age, item_id in enumerate(item_ids):
        seen = BehaviorEvent("seed", EventType.VIEW, at_s - age, item_id=item_id)
        fold(state, seen, table.facts.get(item_id), SESSION_BOUNDS)
    return state


def _pick(column: np.ndarray[Any, np.dtype[_Number]], rows: RowArray) -> npt.NDArray[_Number]:
    """Values of `rows`; -1 for a row of -1, whatever the last row holds."""
    if len(column) == 0:
        return np.full((len(rows), *column.shape[1:]), -1, column.dtype)
    out: npt.NDArray[_Number] = column[rows]
    out[rows < 0] = -1
    return out
