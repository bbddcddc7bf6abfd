"""The whole service in one process, without Ray, Triton or Feast, behind an ASGI client."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from features.controls.shops import DEFAULT_SHOP
from features.controls.store import Controls
from features.events.log import EventLog
from features.events.space import LogSpace
from serving.http.access.auth import ApiKey, Keyring, Publishable, Scope, hash_key
from serving.http.answers.routes import AnswerRoutes
from serving.http.application import Endpoints, http_app
from serving.http.routes.asking import Contexts
from serving.http.routes.event_import import EventImport, Pace
from serving.http.routes.events import EventRoutes
from serving.http.routes.pages.pages import PageRoutes
from serving.http.routes.rankings import RankingRoutes
from serving.http.status import Status
from serving.models.batcher import RankerClient
from serving.models.contract import EncoderProfile, Limits
from serving.models.latency import LatencyEstimate
from serving.models.limits import PublishedLimits
from serving.models.tokenizer import Tokenizer
from serving.ranking.admission import Admission
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.placements.composer import PageComposer
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.sources import Sources
from serving.ranking.texts.answers import AnswerRanking
from serving.ranking.texts.rerank import Rerank
from serving.ranking.values import Slate
from serving.search.retrieval import Retrieval
from serving.search.suggest.suggestions import Suggestions
from serving.settings import Settings
from serving.shops.alerts.watch import Watch
from serving.shops.answers.answers import Answers
from serving.shops.answers.kept import KeptAnswers
from serving.shops.choices.following import ShoppersChoices
from serving.shops.intake import Intake
from serving.shops.items import ItemCache
from serving.shops.labels.classifiers import Classifiers
from serving.shops.labels.counting import LabelCounts
from serving.shops.pictures.shop_pictures import ShopPictures
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.registry.registry import Registry
from serving.shops.reserve import Reserve
from serving.shops.rights.audit import Audit
from serving.shops.rights.erasures import Erasures
from serving.shops.rules import Rules
from serving.shops.shop import Shop, Shops
from serving.shops.steering.steering import Steering
from serving.shops.upkeep import CatalogKeeper, Upkeep
from serving.telemetry.stages import LateTraces
from tests.support.fakes import (
    NOW_S,
    FakeCatalog,
    FakeControls,
    FakeEncoder,
    FakeLog,
    FakeRanker,
    FakeShoppers,
    FakeSpace,
    FakeVectors,
    groceries,
    state,
)

MAX_BODY = 1024 * 1024
RATE_PER_S = 5
PAGE_ORIGIN = "https://shop.example"
NO_EXPLORATION = Rules.model_validate({"exploration": {"share": 0}})


MAX_WAITING = 1_000  # events that may wait for ingest, which folds nothing here


def event_import(clock: Callable[[], float] = lambda: NOW_S) -> EventImport:
    """Holds nobody up for long."""
    return EventImport(64 * 1024, lambda: Pace("ingest", MAX_WAITING, hold_s=0.05), clock)


class Stores(NamedTuple):
    """Real ones, instead of the fakes."""

    log: EventLog
    catalog: CatalogKeeper
    space: LogSpace


class Kept:
    """A `pipeline.RankingRecorder` that keeps everything."""

    def __init__(self) -> None:
        self.slates: list[Slate] = []

    def record(self, shop: Shop, slate: Slate) -> None:
        self.slates.append(slate)


def usual_limits() -> PublishedLimits:
    """What a version reads that says nothing of it."""
    return PublishedLimits(Limits)


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


def shop_of(
    items: ItemCache,
    shoppers: FakeShoppers | None = None,
    log: FakeLog | EventLog | None = None,
    catalog: CatalogKeeper | None = None,
    rules: Rules = NO_EXPLORATION,
    space: LogSpace | None = None,
    controls: Controls | None = None,
    offered: Callable[[], Sequence[str]] = tuple,
    name: str = DEFAULT_SHOP,
    pseudonyms: Pseudonyms | None = None,
    pictures: ShopPictures | None = None,
) -> Shop:
    """A shop over `items`, indexed; what is not given is empty."""
    source = FakeVectors(items._tokenizer)
    reads = pictures is not None and pictures.reads
    retrieval = Retrieval(items, source, pictures=pictures is not None, reads_pictures=reads)
    retrieval.update(np.arange(len(items.table)))
    retrieval.refresh_popularity(NOW_S)
    suggestions = Suggestions(items)
    suggestions.update(np.arange(len(items.table)))
    suggestions.rebuild(NOW_S)
    log = log or FakeLog()
    controls = controls or FakeControls()
    pseudonyms = pseudonyms or Pseudonyms(b"0123456789abcdef")
    catalog = FakeCatalog() if catalog is None else catalog  # an empty one is false
    reserve = Reserve(space or FakeSpace(), every_s=0)
    return Shop(
        name=name,
        items=items,
        retrieval=retrieval,
        suggestions=suggestions,
        pseudonyms=pseudonyms,
        shoppers=shoppers or FakeShoppers(),
        log=log,
        reserve=reserve,
        intake=Intake(log, reserve),
        upkeep=Upkeep(catalog, reserve),
        answers=Answers(KeptAnswers(controls), reserve, FakeVectors(items._tokenizer)),
        controls=controls,
        choices=ShoppersChoices(controls),
        audit=Audit(controls, lambda: NOW_S),
        erasures=Erasures(controls, pseudonyms, log.offset, lambda: NOW_S),
        steering=Steering(rules, controls, offered=offered, shop=name),
        classifiers=Classifiers(controls, EncoderProfile.ENGLISH),
        label_counts=LabelCounts(controls),
        alerts=Watch(DEFAULT_SHOP, rules.alerts, controls, clock=lambda: NOW_S),
        pictures=pictures,
    )


class Service:
    """Keys: `all` may do everything; `rank`, `events`, `items`, `admin` one thing; `slow` is
    allowed RATE_PER_S, `boosts` a lift of 2; `page` may be seen by anyone on PAGE_ORIGIN, an
    address may send RATE_PER_S with it. The user `ann` and the session `s` are known."""

    def __init__(
        self,
        tokenizer: Path,
        late_traces: LateTraces | None = None,
        clock: Callable[[], float] = lambda: NOW_S,
        stores: Stores | None = None,
        rules: Rules = NO_EXPLORATION,
        ranker: RankerClient | None = None,
        others: Sequence[Shop] = (),
        pictures: ShopPictures | None = None,
        demo: Sequence[str] | None = None,
        **sections: Any,
    ) -> None:
        """ranker: a real one, instead of `self.scorer`; others: shops beside `self.shop`; pictures:
        None: nobody looks at any; demo: whom the demo shop acts for; None: there is none."""
        settings = settings_of(tokenizer, **sections)
        words = Tokenizer(tokenizer)
        self.items = groceries(words, prices=settings.store.prices)
        self.scorer = FakeRanker()
        self.shoppers = FakeShoppers()
        self.log, self.catalog, self.kept = FakeLog(), FakeCatalog(), Kept()
        self.space, self.controls = FakeSpace(), FakeControls()
        log, catalog, space = stores or (self.log, self.catalog, self.space)
        self.encoder = FakeEncoder(words)
        self.shop = shop_of(
            self.items, self.shoppers, log, catalog, rules, space, self.controls,
            lambda: sorted(self.scorer.loaded), pictures=pictures,
        )  # fmt: skip
        names = self.shop.pseudonyms
        self.shoppers.users[str(names.user("ann"))] = state("milk", "oat", items=self.items)
        self.shoppers.sessions[str(names.session("s"))] = state("bread", "oat", user=False)
        self.shops = shops = Shops([self.shop, *others])
        self.registry = Registry(self.controls, clock)
        features = ShopperFeatures(words, usual_limits(), settings.pipeline)
        admission = Admission(settings.admission)
        pipeline = RankingPipeline(
            admission,
            features,
            Sources(self.encoder, settings.retrieval, settings.pipeline),
            ranker or self.scorer,
            None,
            SlatePolicy(np.random.default_rng(0)),
            self.kept,
            settings.pipeline,
            LatencyEstimate(),
        )
        self.pipeline, self.shadow, self.shops = pipeline, pipeline.shadow, shops
        contexts = Contexts(settings.pipeline, clock)
        self.rankings = RankingRoutes(pipeline, shops, contexts)
        self.keys = _keys()
        self.app = http_app(
            Endpoints(
                shops=shops,
                registry=self.registry,
                rankings=self.rankings,
                pages=PageRoutes(PageComposer(pipeline), shops, contexts),
                events=EventRoutes(shops, event_import(clock), clock),
                rerank=Rerank(self.encoder, 1.0, max_ongoing=2),
                answers=AnswerRoutes(
                    AnswerRanking(self.encoder, admission, settings.pipeline),
                    shops,
                    settings.pipeline,
                ),
                status=Status(shops, features, self.scorer, "ingest", clock),
                keys=self.keys,
                access=settings.access,
                assistant=settings.assistant,
                clock=clock,
                late_traces=late_traces,
                demo=demo is not None,
                demo_shoppers=demo or (),
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


def ids(answer: httpx.Response) -> list[str]:
    """The items of an answered ranking, in order."""
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json()["items"]]


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
    page = ApiKey(
        name="page",
        sha256=hash_key("page"),
        scopes=frozenset({Scope.EVENTS}),
        publishable=Publishable(origins=frozenset({PAGE_ORIGIN}), address_rate_per_s=RATE_PER_S),
    )
    boosts = ApiKey(
        name="boosts", sha256=hash_key("boosts"), scopes=frozenset({Scope.RANK}), max_boost=2
    )
    return Keyring([*keys, slow, page, boosts])
