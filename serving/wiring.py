"""Everything behind HTTP, constructed and filled: the wiring of one ingress replica."""

from functools import partial

import numpy as np

from features.behavior.neighbor_file import NeighborFile
from features.ingest.status import CONSUMER
from features.pictures.pictures import Pictures
from features.store.backends import (
    open_catalog,
    open_controls,
    open_event_log,
    open_log_space,
    open_pictures,
)
from features.store.feature_store import open_store
from features.store.online import OnlineFeatures
from features.telemetry.spans import span_processors
from serving.http.access.key_file import watched_keys
from serving.http.application import Endpoints
from serving.http.routes.event_import import EventImport, Pace
from serving.http.routes.events import EventRoutes
from serving.http.routes.rankings import RankingRoutes
from serving.http.status import Status
from serving.models.batcher import RankerClient
from serving.models.breaker import Breaker, CandidateBreakers, GuardedEncoder, GuardedRanker
from serving.models.connection import served_versions
from serving.models.contract import MAX_TOKENS, Limits, candidate_model
from serving.models.encoder import TextVectors
from serving.models.latency import LatencyEstimate
from serving.models.limits import CandidateLimits, PublishedLimits
from serving.models.settings import ModelSettings
from serving.models.tokenizer import Tokenizer
from serving.models.triton import published_limits
from serving.pictures.encoder import TritonPictures
from serving.pictures.settings import PictureSettings
from serving.ranking.admission import Admission
from serving.ranking.cold_start import ColdStartClient
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.recorder import Recorder
from serving.ranking.rerank import Rerank
from serving.ranking.scoring.gathered import GatheredRanker
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.slate.metrics import RankingMetrics
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.sources import Sources
from serving.search.relevance import RelevanceModels
from serving.search.retrieval import Retrieval
from serving.search.suggest.suggestions import Suggestions
from serving.search.vectors import StoredVectors
from serving.search.words.analysis import Analyzer
from serving.search.words.synonyms import meanings
from serving.settings import Settings
from serving.shops.experiments import CANDIDATE, model_versions
from serving.shops.intake import Intake
from serving.shops.items import ItemCache
from serving.shops.pictures.feed import PictureFeed
from serving.shops.pictures.shop_pictures import ShopPictures
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.refresh import Refresher
from serving.shops.reserve import Reserve
from serving.shops.rules import read_rules
from serving.shops.shop import Shop, Shops
from serving.shops.steering.steering import Steering
from serving.shops.upkeep import Upkeep
from serving.telemetry.stages import LateTraces
from serving.types import DEFAULT_SHOP

_LIMITS_S = 1.0  # patience with a model server that is asked for its version's limits


def endpoints(
    settings: Settings, ranker: RankerClient, cold_start: ColdStartClient | None
) -> Endpoints:
    """Everything behind HTTP, constructed and filled."""
    model = settings.model
    tokenizer = Tokenizer(model.tokenizer_path)
    text_vectors = TextVectors.of(model)
    shop = _shop(settings, tokenizer, text_vectors)
    shops = Shops([shop])
    guarded = GuardedRanker(
        GatheredRanker(ranker, settings.ranker),
        Breaker("ranker", settings.breaker),
        _candidate_breakers(settings, shop),
    )
    encoder = GuardedEncoder(text_vectors, Breaker("encoder", settings.breaker))
    shopper_features = ShopperFeatures(
        tokenizer,
        _limits(model),
        settings.pipeline,
        _candidate_limits(model, shop),
    )
    pipeline = RankingPipeline(
        Admission(settings.admission),
        shopper_features,
        Sources(encoder, settings.retrieval, settings.pipeline),
        guarded,
        cold_start,
        SlatePolicy(np.random.default_rng(settings.random_seed)),
        Recorder(RankingMetrics().observe),
        settings.pipeline,
        LatencyEstimate(),
    )
    processors = span_processors()
    access = settings.access
    pace = Pace(CONSUMER, access.max_import_waiting)
    return Endpoints(
        shops=shops,
        rankings=RankingRoutes(pipeline, shops, settings.pipeline),
        events=EventRoutes(shops, EventImport(access.max_import_line_bytes, pace)),
        rerank=Rerank(
            encoder,
            settings.pipeline.max_budget_s,
            model=RelevanceModels.of_profile(model.encoder_profile).texts,
        ),
        status=Status(shops, shopper_features, guarded, CONSUMER),
        keys=watched_keys(access.keys_path),
        access=access,
        late_traces=LateTraces(settings.tracing.slow_s, processors) if processors else None,
        max_picture_bytes=settings.pictures and settings.pictures.max_bytes,
        demo_items=shops.of(DEFAULT_SHOP).items if settings.pages else None,
    )


def _limits(settings: ModelSettings) -> PublishedLimits:
    limits = PublishedLimits(partial(_published, settings, settings.ranker))
    limits.follow()
    return limits


def _candidate_limits(settings: ModelSettings, shop: Shop) -> CandidateLimits:
    """Of the versions that experiments name, and of the newest candidate, whichever that is."""

    def versions() -> set[str]:
        newest = shop.steering.standing.candidate
        return {*model_versions(shop.rules.experiments), *([newest] if newest else [])}

    limits = CandidateLimits(
        versions, lambda version: _published(settings, candidate_model(settings.ranker, version))
    )
    limits.follow()
    return limits


def _published(settings: ModelSettings, model: str) -> Limits:
    return published_limits(settings.grpc_address, model, settings.tls, _LIMITS_S)


def _candidate_breakers(settings: Settings, shop: Shop) -> CandidateBreakers:
    def breaker(version: str) -> Breaker:
        return Breaker(candidate_model(settings.model.ranker, version), settings.breaker)

    return CandidateBreakers(
        lambda: model_versions(shop.rules.experiments), breaker, breaker(CANDIDATE)
    )


def _shop(settings: Settings, tokenizer: Tokenizer, encoder: TextVectors) -> Shop:
    """The one shop, filled, and followed by its refresher."""
    log = open_event_log(settings.store)
    catalog = open_catalog(settings.store)
    reserve = Reserve(open_log_space(settings.store))
    online = OnlineFeatures(open_store(settings.store))
    items = ItemCache(tokenizer, MAX_TOKENS, settings.store.prices)
    pictures = None if settings.pictures is None else _pictures(settings, settings.pictures)
    rules = read_rules(settings.rules_path)
    profile = settings.model.encoder_profile
    retrieval = Retrieval(
        items,
        StoredVectors(settings.retrieval.vectors_path, encoder, profile),
        Analyzer(settings.retrieval.language),
        RelevanceModels.of_profile(profile),
        synonyms=meanings(rules.synonyms, [(way.asked, way.means) for way in rules.one_way]),
        pictures=pictures is not None,
    )
    suggestions = Suggestions(items, settings.retrieval.language)
    neighbors = NeighborFile(settings.retrieval.neighbors_path)
    Refresher(
        catalog,
        log,
        online,
        items,
        retrieval,
        suggestions,
        neighbors,
        settings.refresh_interval_s,
    ).start()
    if pictures is not None:
        PictureFeed(pictures.stored, items, retrieval, settings.refresh_interval_s).start()
    model = settings.model
    controls = open_controls(settings.store)
    steering = Steering(
        rules,
        controls,
        offered=partial(served_versions, model.grpc_address, model.ranker, model.tls, _LIMITS_S),
    )
    steering.start()
    return Shop(
        name=DEFAULT_SHOP,
        items=items,
        retrieval=retrieval,
        suggestions=suggestions,
        pseudonyms=Pseudonyms.from_file(settings.access.pseudonym_key_path),
        shoppers=online,
        log=log,
        reserve=reserve,
        intake=Intake(log, reserve),
        upkeep=Upkeep(catalog, reserve),
        controls=controls,
        steering=steering,
        pictures=pictures,
    )


def _pictures(settings: Settings, looked_at: PictureSettings) -> ShopPictures:
    return ShopPictures(
        Pictures(open_pictures(settings.store)),
        TritonPictures(settings.model, looked_at.model),
        Breaker("pictures", settings.breaker),
        looked_at,
    )
