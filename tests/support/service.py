"""The whole service in one process, without Ray, Triton or Feast, behind an ASGI client."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from serving.http.application import Endpoints, http_app
from serving.http.auth import ApiKey, Keyring, Scope, hash_key
from serving.http.status import Status
from serving.models.latency import Pace
from serving.models.tokenizer import Tokenizer
from serving.ranking.cold_start import ColdStart
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.rerank import Rerank
from serving.ranking.shopper_features import FeatureLookup
from serving.ranking.slate import SlatePolicy
from serving.ranking.sources import Rankings
from serving.ranking.values import FeatureMatrix, Scores, Slate
from serving.search.retrieval import Retrieval
from serving.settings import Settings
from serving.shops.intake import Intake
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.rules import Rules
from serving.telemetry.stages import LateTraces
from tests.support.fakes import (
    NOW_S,
    FakeCatalog,
    FakeLog,
    FakeQueries,
    FakeScorer,
    FakeShoppers,
    FakeVectors,
    groceries,
    state,
)

MAX_BODY = 1024 * 1024
RATE_PER_S = 5


class Kept:
    """A `rankings.RankingRecorder` that keeps everything."""

    def __init__(self) -> None:
        self.slates: list[Slate] = []

    def record(self, slate: Slate) -> None:
        self.slates.append(slate)


class LocalColdStart:
    """A `pipeline.RulesScorer` in this process."""

    async def score(self, features: FeatureMatrix, budget_s: float) -> Scores:
        return ColdStart(Rules().cold_start).score(features)


def settings_of(tokenizer: Path, **sections: Any) -> Settings:
    return Settings.model_validate(
        {
            "access": {"keys_path": "x", "pseudonym_key_path": "x"},
            "model": {"tokenizer_path": tokenizer},
            "store": {},
            "retrieval": {"vectors_path": "x", "neighbors_path": "x"},
            "rules_path": "x",
            **sections,
        }
    )


class Shop:
    """Keys: `all` may do everything; `rank`, `events`, `items`, `admin` one thing; `slow` is
    allowed RATE_PER_S. The user `ann` and the session `s` are known."""

    def __init__(
        self, tokenizer: Path, late_traces: LateTraces | None = None, **sections: Any
    ) -> None:
        settings = settings_of(tokenizer, **sections)
        pseudonyms = Pseudonyms(b"0123456789abcdef")
        encoder = Tokenizer(tokenizer)
        self.items = groceries(encoder)
        self.scorer = FakeScorer()
        self.shoppers = FakeShoppers()
        self.shoppers.users[str(pseudonyms.user("ann"))] = state("milk", "oat", items=self.items)
        self.shoppers.sessions[str(pseudonyms.session("s"))] = state("bread", "oat", user=False)
        self.log, self.catalog, self.kept = FakeLog(), FakeCatalog(), Kept()
        self.queries = FakeQueries(encoder)
        rules = Rules.model_validate({"exploration": {"share": 0}})
        lookup = FeatureLookup(self.shoppers, self.items, encoder, settings.model)
        retrieval = Retrieval(self.items, FakeVectors())
        retrieval.update(np.arange(len(self.items.table)))
        retrieval.refresh_popularity(NOW_S)
        pipeline = RankingPipeline(
            lookup,
            self.scorer,
            LocalColdStart(),
            ColdStart(rules.cold_start),
            SlatePolicy(rules, self.items.table, np.random.default_rng(0)),
            settings.pipeline,
            Pace(),
        )
        rankings = Rankings(
            pipeline,
            lookup,
            self.items,
            retrieval,
            self.queries,
            self.kept,
            pseudonyms,
            settings,
            lambda: NOW_S,
        )
        status = Status(
            lookup, self.scorer, self.shoppers, self.items, self.log, pseudonyms, "ingest",
            lambda: NOW_S,
        )  # fmt: skip
        self.app = http_app(
            Endpoints(
                rankings=rankings,
                intake=Intake(self.log, self.catalog, pseudonyms, lambda: NOW_S),
                rerank=Rerank(self.scorer, encoder, 1.0, max_ongoing=2),
                status=status,
                keys=_keys(),
                max_body_bytes=MAX_BODY,
                late_traces=late_traces,
            )
        )

    def client(self, key: str | None = "all") -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers)

    async def call(self, method: str, path: str, key: str | None = "all", **given: Any) -> Any:
        """An answer that is checked for what every answer must have."""
        async with self.client(key) as client:
            answer = await client.request(method, path, **given)
        assert len(answer.headers["x-request-id"]) >= 1
        assert "total;dur=" in answer.headers["server-timing"]
        if answer.status_code >= 400 and "/readyz" not in path:
            problem(answer)
        return answer

    async def post(self, path: str, body: Any, key: str | None = "all") -> Any:
        if isinstance(body, str | bytes):
            return await self.call("POST", path, key, content=body)
        return await self.call("POST", path, key, json=body)


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem document of an answer, whole."""
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert set(found) == {"type", "title", "status", "detail", "code", "request_id"}
    assert found["status"] == answer.status_code
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["type"] == f"urn:vitrine:problem:{found['code']}"
    assert "Traceback" not in answer.text
    return found


def candidates(*item_ids: str) -> list[dict[str, Any]]:
    return [{"item_id": item_id} for item_id in item_ids]


def view(**fields: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp(NOW_S, UTC).isoformat()
    base = {"event_id": uuid.uuid4().hex, "type": "view", "user_id": "ann", "item_id": "milk"}
    return {**base, "at": at, **fields}


def _keys() -> Keyring:
    scopes = {scope.value: frozenset({scope}) for scope in Scope}
    keys = [
        ApiKey(name=name, sha256=hash_key(name), scopes=given, rate_per_s=100_000)
        for name, given in {**scopes, "all": frozenset(Scope)}.items()
    ]
    slow = ApiKey(
        name="slow", sha256=hash_key("slow"), scopes=frozenset(Scope), rate_per_s=RATE_PER_S
    )
    return Keyring([*keys, slow])
