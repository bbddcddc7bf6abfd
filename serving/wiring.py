"""Everything behind HTTP, constructed and filled: the wiring of one ingress replica."""

import numpy as np

from features.behavior.neighbor_file import NeighborFile
from features.ingest.status import CONSUMER
from features.store.backends import open_catalog, open_event_log
from features.store.feature_store import open_store
from features.store.online import OnlineFeatures
from features.telemetry.spans import span_processors
from serving.http.application import Endpoints
from serving.http.auth import Pseudonyms
from serving.http.key_file import watched_keys
from serving.http.status import Status
from serving.models.breaker import Breaker, GuardedQueries, GuardedRanker
from serving.models.latency import Pace
from serving.models.triton import TritonEncoder
from serving.ranking.cold_start import ColdStart
from serving.ranking.pipeline import RankingPipeline, RulesScorer, Scorer
from serving.ranking.recorder import Recorder
from serving.ranking.rerank import Rerank
from serving.ranking.shopper_features import FeatureLookup
from serving.ranking.slate import SlatePolicy
from serving.ranking.slate_metrics import RankingMetrics
from serving.ranking.sources import Rankings
from serving.search.retrieval import Retrieval
from serving.search.vectors import StoredVectors, TritonQueries
from serving.settings import Settings
from serving.shops.intake import Intake
from serving.shops.items import ItemCache, TextEncoder
from serving.shops.refresh import Refresher
from serving.shops.rules import read_rules
from serving.telemetry.stages import LateTraces


def endpoints(settings: Settings, ranker: Scorer, cold_start: RulesScorer) -> Endpoints:
    """Everything behind HTTP, constructed and filled."""
    ranker = GuardedRanker(ranker, Breaker("ranker", settings.breaker))
    processors = span_processors()
    rules = read_rules(settings.rules_path)
    pseudonyms = Pseudonyms.from_file(settings.access.pseudonym_key_path)
    log = open_event_log(settings.store)
    catalog = open_catalog(settings.store)
    online = OnlineFeatures(open_store(settings.store))
    encoder = TextEncoder(settings.model.tokenizer_path)
    items = ItemCache(encoder, settings.model.max_item_tokens)
    model = settings.model
    triton_encoder = TritonEncoder(model.grpc_address, model.encoder, model.tls)
    retrieval = Retrieval(items, StoredVectors(settings.retrieval.vectors_path, triton_encoder))
    neighbors = NeighborFile(settings.retrieval.neighbors_path)
    refresher = Refresher(
        catalog, log, online, items, retrieval, neighbors, settings.refresh_interval_s
    )
    refresher.start()
    lookup = FeatureLookup(online, items, encoder, settings.model)
    policy = SlatePolicy(rules, items.table, np.random.default_rng(settings.random_seed))
    pipeline = RankingPipeline(
        lookup, ranker, cold_start, ColdStart(rules.cold_start), policy, settings.pipeline, Pace()
    )
    intake = Intake(log, catalog, pseudonyms)
    rankings = Rankings(
        pipeline,
        lookup,
        items,
        retrieval,
        GuardedQueries(
            TritonQueries(encoder, triton_encoder, settings.model.max_query_tokens),
            Breaker("encoder", settings.breaker),
        ),
        Recorder(intake.record, RankingMetrics().observe),
        pseudonyms,
        settings,
    )
    return Endpoints(
        rankings=rankings,
        intake=intake,
        rerank=Rerank(ranker, encoder, settings.pipeline.max_budget_s),
        status=Status(lookup, ranker, online, items, log, pseudonyms, CONSUMER),
        demo_items=items if settings.pages else None,
        late_traces=LateTraces(settings.tracing.slow_s, processors) if processors else None,
        keys=watched_keys(settings.access.keys_path),
        max_body_bytes=settings.access.max_body_bytes,
    )
