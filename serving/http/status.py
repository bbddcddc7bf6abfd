"""What operators and administrators ask: readiness, versions, freshness, a shopper's features."""

import asyncio
import json
import logging
import math
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from features.behavior.state_rows import AnyState
from features.behavior.unwanted import hidden_items
from features.controls.shops import DEFAULT_SHOP
from serving.errors import FeaturesUnavailableError, RankingError
from serving.models.batcher import RankerClient, RankerJob
from serving.ranking.request import Context, Given
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.values import Candidates, Unavailable
from serving.shops.experiments import model_versions
from serving.shops.shop import Shop, Shops
from serving.telemetry.metrics import rankings_by_route

_LOG = logging.getLogger("vitrine.status")
_PATIENCE_S = 2.0


class Status:
    """Answers /readyz, /v1/status and the administrator's question."""

    def __init__(
        self,
        shops: Shops,
        shopper_features: ShopperFeatures,
        ranker: RankerClient,
        ingest_name: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._shop = shops.of(DEFAULT_SHOP)
        self._features = shopper_features
        self._ranker = ranker
        self._ingest_name = ingest_name
        self._clock = clock
        self._answered_once = {"features": False, "model": False}
        self._model_version: str | None = None

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether features and model have each answered once, and which did.

        Once is enough: later failures are answered by rules, by this replica as well as by others.
        """
        if not all(self._answered_once.values()):
            await self._probe()
        ready = all(self._answered_once.values())
        return ready, {"status": "ready" if ready else "starting", **self._answered_once}

    async def report(self, shop: Shop) -> dict[str, Any]:
        """Model version, catalogue size, how far ingest is behind."""
        answers = await self._probe(shop)
        try:
            last, done, ingest, space = await asyncio.to_thread(
                lambda: (
                    shop.log.last_seq(),
                    shop.log.offset(self._ingest_name),
                    shop.log.status(self._ingest_name),
                    shop.reserve.space.measure(),
                )
            )
        except Exception:
            # Whoever asks what is wrong must get an answer when the log is what is wrong.
            _LOG.exception("the log does not tell its status")
            last, done, ingest, space = None, None, None, None
        return {
            "model_version": self._model_version,
            "features_answer": answers["features"],
            "model_answers": answers["model"],
            "catalog_items": len(shop.items.table),
            "items_to_encode": shop.retrieval.n_awaited,
            "events_logged": last,
            "events_waiting": None if last is None or done is None else max(last - done, 0),
            "space": space
            and {
                "log_bytes": space.log,
                "log_max_bytes": space.log_max,
                "store_bytes": space.store,
                "store_max_bytes": space.store_max,
            },
            "ingest": json.loads(ingest) if ingest else None,
            "rankings": rankings_by_route(shop.name),
        }

    async def versions(self, shop: Shop) -> dict[str, Any]:
        """A VersionsOut document; each version is asked for a score."""
        await self._probe()
        experiments = [each for each in shop.rules.experiments if each.running]
        return {
            "in_use": self._model_version,
            "candidates": [
                {
                    "version": version,
                    "loaded": await self._is_loaded(shop, version),
                    "experiments": [
                        each.key for each in experiments if version in model_versions([each])
                    ],
                    "placements": [
                        key
                        for key, placement in shop.rules.placements.items()
                        if placement.ranker == version
                    ],
                }
                for version in shop.rules.ranker_versions
            ],
        }

    async def _is_loaded(self, shop: Shop, version: str) -> bool | None:
        """Whether it answers for itself, and not the version in use for it; None: nothing does."""
        try:
            job, _ = await self._job(shop, version)
            reply = await self._ranker.score(job, _PATIENCE_S)
        except RankingError:
            return None
        return reply.scores.model_version == version

    async def user_features(self, shop: Shop, user_id: str) -> dict[str, Any]:
        """A UserFeatures document."""
        pseudonym = shop.pseudonyms.user(user_id)
        try:
            read = asyncio.to_thread(shop.shoppers.read_shopper, pseudonym, None)
            shopper = await asyncio.wait_for(read, _PATIENCE_S)
        except Exception as error:
            raise FeaturesUnavailableError(type(error).__name__, 1) from error
        if shopper.user is None:
            return {"known": False}
        return _user_document(shopper.user, self._clock())

    async def _probe(self, shop: Shop | None = None) -> dict[str, bool]:
        """One read and one score, as a ranking does them."""
        answers = {"features": False, "model": False}
        job, known = await self._job(shop or self._shop)
        if known:
            answers["features"] = self._answered_once["features"] = True
        try:
            reply = await self._ranker.score(job, _PATIENCE_S)
        except RankingError:
            return answers  # the model is what does not answer
        self._model_version = reply.scores.model_version
        answers["model"] = self._answered_once["model"] = True
        return answers

    async def _job(self, shop: Shop, version: str | None = None) -> tuple[RankerJob, bool]:
        """A job of nobody and of one item, and whether the features of nobody could be read."""
        context = Context(
            ranking_id=uuid.uuid4().hex,
            at_s=self._clock(),
            deadline_s=time.monotonic() + 2 * _PATIENCE_S,
            user_id=shop.pseudonyms.user("nobody"),
        )
        item_ids = shop.items.table.item_ids[:1] or ["nothing"]
        candidates = Candidates(
            item_ids, shop.items.table.rows(item_ids), np.full(1, np.nan, np.float32)
        )
        source = Given(item_ids, candidates.retrieval_score)
        shopper = await self._features.read(shop, context, _PATIENCE_S)
        evidence = self._features.evidence(shop, context, shopper.states, source)
        matrix = self._features.matrix(shop, context, candidates, evidence)
        tensors = self._features.tensors(shop, context, evidence, matrix, version)
        job = RankerJob(tensors, model_version=version)
        return job, not isinstance(shopper, Unavailable)


def _user_document(state: AnyState, now_s: float) -> dict[str, Any]:
    def shares(weights: dict[str, float]) -> dict[str, float]:
        top = sorted(weights.items(), key=lambda entry: -entry[1])[:20]
        mass = sum(max(weight, 0.0) for _, weight in top) or 1.0
        return {name: round(max(weight, 0.0) / mass, 4) for name, weight in top}

    newest = sorted(state.recent, key=lambda item_id: -state.recent[item_id][0])
    often = sorted(state.bought, key=lambda item_id: -state.bought[item_id][0])
    priced = state.price_weight > 0
    return {
        "known": True,
        "interactions": state.n_interactions,
        "first_event_at": datetime.fromtimestamp(state.first_s, UTC),
        "last_event_at": datetime.fromtimestamp(state.last_s, UTC),
        "age_s": round(now_s - state.last_s, 3),
        "counts": {str(kind): count for kind, count in state.counts.items()},
        "recent_items": newest,
        "bought_items": often,
        "hidden_items": sorted(hidden_items([state])),
        "categories": shares(state.categories),
        "brands": shares(state.brands),
        "typical_price": round(math.exp(state.price_sum / state.price_weight), 2)
        if priced
        else None,
        "queries": sorted(state.queries, key=lambda query: -state.queries[query]),
    }
