"""One ingress replica, constructed: the shops' stores and indexes, the path, the endpoints."""

import contextlib
import logging
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import numpy as np

from features.ingest.status import CONSUMER
from features.pictures.pictures import Pictures
from features.store.backends import open_controls, open_pictures
from features.store.settings import StoreSettings
from features.telemetry.spans import span_processors
from serving.background import Background
from serving.errors import InvalidRequestError
from serving.http.access.key_file import watched_keys
from serving.http.answers.routes import AnswerRoutes
from serving.http.application import Endpoints
from serving.http.routes.asking import Contexts
from serving.http.routes.event_import import EventImport, Pace
from serving.http.routes.events import EventRoutes
from serving.http.routes.pages.pages import PageRoutes
from serving.http.routes.rankings import RankingRoutes
from serving.http.status import Status
from serving.models.batcher import RankerClient
from serving.models.breaker import Breaker, CandidateBreakers, GuardedEncoder, GuardedRanker
from serving.models.contract import Limits, candidate_model
from serving.models.encoder import TextVectors
from serving.models.latency import LatencyEstimate
from serving.models.limits import CandidateLimits, PublishedLimits
from serving.models.settings import ModelSettings
from serving.models.tokenizer import Tokenizer
from serving.models.triton import published_about, published_limits
from serving.pictures.encoder import TritonPictures
from serving.ranking.admission import Admission
from serving.ranking.cold_start import ColdStartClient
from serving.ranking.pipeline import RankingPipeline
from serving.ranking.placements.composer import PageComposer
from serving.ranking.recorder import Recorder
from serving.ranking.scoring.gathered import GatheredRanker
from serving.ranking.shopper_features import ShopperFeatures
from serving.ranking.slate.metrics import RankingMetrics, follow_floors
from serving.ranking.slate.policy import SlatePolicy
from serving.ranking.sources import Sources
from serving.ranking.texts.answers import AnswerRanking
from serving.ranking.texts.rerank import Rerank
from serving.search.relevance import RelevanceModels
from serving.settings import Settings
from serving.shops.alerts.settings import AlertSettings
from serving.shops.alerts.webhook import WebhookError, check_webhook
from serving.shops.experiments import CANDIDATE
from serving.shops.pictures.shop_pictures import ShopPictures
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.registry.definition import ShopDefinition
from serving.shops.registry.following import Following
from serving.shops.registry.opening import Opener
from serving.shops.registry.registry import Registry
from serving.shops.registry.rounds import Rounds
from serving.shops.rules import Rules, read_rules
from serving.shops.shop import Shops
from serving.telemetry.stages import LateTraces

_LOG = logging.getLogger("vitrine.replica")
_FLOORS_S = 5.0
_LIMITS_S = 1.0  # patience with a model server that is asked for its version's limits


def endpoints(
    settings: Settings, ranker: RankerClient, cold_start: ColdStartClient | None
) -> Endpoints:
    """Everything behind HTTP, constructed and filled."""
    model = settings.model
    tokenizer = Tokenizer(model.tokenizer_path)
    text_vectors = TextVectors.of(model)
    opener = Opener(
        settings.store,
        model,
        settings.retrieval,
        Pseudonyms.from_file(settings.access.pseudonym_key_path),
        settings.alerts,
        settings.refresh_interval_s,
        tokenizer,
        text_vectors,
        _pictures(settings),
    )
    default = opener.default(read_rules(settings.rules_path))
    closing = ExitStack()  # the last one first
    closing.callback(default.close)
    default.start()
    shops = Shops([default.shop])
    access = settings.access
    keys = watched_keys(access.keys_path)
    controls = closing.enter_context(contextlib.closing(open_controls(settings.store)))
    # Half as often as the default shop: an event and an item still count within a second.
    rounds = Rounds(2 * settings.refresh_interval_s)
    admission = Admission(settings.admission)
    following = Following(controls, shops, [keys, admission], opener.registered, rounds)
    closing.callback(following.stop)
    following.start()
    floors = Background(
        "floors", lambda: follow_floors(shops.all()), _FLOORS_S, _LOG, "floors are not followed"
    )
    closing.callback(floors.stop)
    floors.start()
    recorder = Recorder(RankingMetrics().observe)
    closing.callback(recorder.stop)  # before the logs that it writes to
    guarded = GuardedRanker(
        GatheredRanker(ranker, settings.ranker),
        Breaker("ranker", settings.breaker),
        _candidate_breakers(settings, shops),
    )
    encoder = GuardedEncoder(text_vectors, Breaker("encoder", settings.breaker))
    shopper_features = ShopperFeatures(
        tokenizer,
        _limits(model),
        settings.pipeline,
        _candidate_limits(model, shops),
    )
    pipeline = RankingPipeline(
        admission,
        shopper_features,
        Sources(encoder, settings.retrieval, settings.pipeline),
        guarded,
        cold_start,
        SlatePolicy(np.random.default_rng(settings.random_seed)),
        recorder,
        settings.pipeline,
        LatencyEstimate(),
    )
    contexts = Contexts(settings.pipeline)
    processors = span_processors()
    pace = partial(Pace, CONSUMER, access.max_import_waiting)
    return Endpoints(
        shops=shops,
        registry=Registry(controls, check=partial(_check_webhook, settings.alerts)),
        rankings=RankingRoutes(pipeline, shops, contexts),
        pages=PageRoutes(PageComposer(pipeline), shops, contexts),
        events=EventRoutes(shops, EventImport(access.max_import_line_bytes, pace)),
        rerank=Rerank(
            encoder,
            settings.pipeline.max_budget_s,
            model=RelevanceModels.of_profile(model.encoder_profile).texts,
        ),
        answers=AnswerRoutes(
            AnswerRanking(encoder, admission, settings.pipeline), shops, settings.pipeline
        ),
        status=Status(shops, shopper_features, guarded, CONSUMER),
        keys=keys,
        about=partial(published_about, model.grpc_address, model.ranker, model.tls, _LIMITS_S),
        access=access,
        assistant=settings.assistant,
        late_traces=LateTraces(settings.tracing.slow_s, processors) if processors else None,
        archived=settings.store.archive is not None,
        demo=settings.pages,
        demo_shoppers=settings.demo_shoppers,
        max_picture_bytes=None if settings.pictures is None else settings.pictures.max_bytes,
        close=closing.close,
    )


def _check_webhook(settings: AlertSettings, definition: ShopDefinition) -> None:
    """Refuse rules whose webhook this installation would not call: their shop could not open."""
    try:
        check_webhook(Rules.model_validate(definition.rules).alerts.webhook, settings)
    except WebhookError as error:
        raise InvalidRequestError(f"rules.{error}") from None


def _limits(settings: ModelSettings) -> PublishedLimits:
    limits = PublishedLimits(partial(_published, settings, settings.ranker))
    limits.follow()
    return limits


def _candidate_limits(settings: ModelSettings, shops: Shops) -> CandidateLimits:
    """Of the versions that the rules name, and of the newest candidate, whichever that is."""

    def versions() -> set[str]:
        newest = {shop.steering.standing.candidate for shop in shops.all()}
        return _named(shops) | {version for version in newest if version}

    limits = CandidateLimits(
        versions, lambda version: _published(settings, candidate_model(settings.ranker, version))
    )
    limits.follow()
    return limits


def _published(settings: ModelSettings, model: str) -> Limits:
    return published_limits(settings.grpc_address, model, settings.tls, _LIMITS_S)


def _candidate_breakers(settings: Settings, shops: Shops) -> CandidateBreakers:
    def breaker(version: str) -> Breaker:
        return Breaker(candidate_model(settings.model.ranker, version), settings.breaker)

    return CandidateBreakers(lambda: _named(shops), breaker, breaker(CANDIDATE))


def _named(shops: Shops) -> set[str]:
    """The versions that the rules of any shop name."""
    return {version for shop in shops.all() for version in shop.rules.ranker_versions}


def _pictures(settings: Settings) -> Callable[[StoreSettings], ShopPictures] | None:
    """Makes the pictures of a shop: one model and one breaker for all; None: nobody looks."""
    looked_at = settings.pictures
    if looked_at is None:
        return None
    encoder = TritonPictures(settings.model, looked_at.model)
    breaker = Breaker("pictures", settings.breaker)

    def of_store(store: StoreSettings) -> ShopPictures:
        return ShopPictures(Pictures(open_pictures(store)), encoder, breaker, looked_at)

    return of_store
