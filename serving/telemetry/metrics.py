"""Every metric of serving, declared once. Labels come from closed sets: never an id or a text.

Ingest's own are in features/telemetry/ingest_metrics.py. The processes of a node share a folder
(PROMETHEUS_MULTIPROC_DIR): `exposition` adds them up, whichever replica is asked.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.registry import Collector

from features.controls.shops import DEFAULT_SHOP

_LATENCY_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)

REQUESTS = Counter(
    "vitrine_requests_total", "HTTP requests by endpoint and status.", ("endpoint", "status")
)
REQUEST_SECONDS = Histogram(
    "vitrine_request_seconds", "HTTP latency by endpoint.", ("endpoint",), buckets=_LATENCY_BUCKETS
)
RANKINGS = Counter(
    "vitrine_rankings_total",
    "Rankings by shop, route, reason, variant (experiment/arm, experiment:arm promoted, several); "
    "reason 'none': by the model.",
    ("shop", "route", "reason", "variant"),
)  # fmt: skip
EXPERIMENT_RANKINGS = Counter(
    "vitrine_experiment_rankings_total",
    "Rankings of each declared experiment by shop, arm, route and reason; one in two experiments "
    "counts in both.",
    ("shop", "experiment", "variant", "route", "reason"),
)
PLACEMENT_RANKINGS = Counter(
    "vitrine_placement_rankings_total",
    "Rankings of each declared placement by shop, route and reason.",
    ("shop", "placement", "route", "reason"),
)
SHELVES = Counter(
    "vitrine_page_shelves_total",
    "Shelves of composed pages by page, placement and outcome: shown, or why it was left out "
    "(empty, not_asked, deadline, failed).",
    ("shop", "page", "placement", "outcome"),
)
EXPERIMENT_DECISIONS = Counter(
    "vitrine_experiment_decisions_total",
    "Decisions on experiments by action (stop, promote, resume) and by whom: admin, policy.",
    ("shop", "action", "by"),
)
NOT_INTERLEAVED = Counter(
    "vitrine_not_interleaved_total",
    "Rankings of an interleaved experiment that one arm made alone, by why: alike (both order "
    "alike), or a ranking's reason.",
    ("shop", "experiment", "reason"),
)
STAGE_SECONDS = Histogram(
    "vitrine_stage_seconds", "Where a ranking's time goes.", ("stage",), buckets=_LATENCY_BUCKETS
)

# Features
FEATURE_READ_SECONDS = Histogram(
    "vitrine_feature_read_seconds", "Read of a shopper from the online store: ok, timeout, error.",
    ("outcome",), buckets=_LATENCY_BUCKETS,
)  # fmt: skip
CATALOG_ITEMS = Gauge(
    "vitrine_catalog_items",
    "Items that can be ranked.",
    ("shop",),
    multiprocess_mode="mostrecent",
)
REFRESHED_TIMESTAMP = Gauge(
    "vitrine_refreshed_timestamp_seconds",
    "When a replica last took over changed items and counters, unix time: the oldest of them.",
    # Without a label every process that imports this would have one, of 1970.
    ("part",), multiprocess_mode="livemin",
)  # fmt: skip


# Batches in front of the model
BATCHES = Counter(
    "vitrine_batches_total",
    "Calls to the model by why the batch was closed: idle (nothing else waited), waited (all that "
    "waited behind the last one), full (more waited than fits).",
    ("dispatch",),
)
BATCH_ROWS = Histogram(
    "vitrine_batch_rows", "Candidate rows of a batch.",
    buckets=(10, 25, 50, 100, 200, 500, 1000, 2000, 5000),
)  # fmt: skip
BATCH_REQUESTS = Histogram(
    "vitrine_batch_requests", "Requests of a batch.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
BATCH_FILL_RATIO = Histogram(
    "vitrine_batch_fill_ratio", "Rows of a batch as a share of the most that fit.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0),
)  # fmt: skip
BATCH_WAIT_SECONDS = Histogram(
    "vitrine_batch_wait_seconds", "A request's wait for its batch to start.",
    buckets=_LATENCY_BUCKETS,
)  # fmt: skip
QUEUED_ROWS = Gauge(
    "vitrine_queued_rows", "Candidate rows that wait for the model.", multiprocess_mode="livesum"
)
MODEL_SECONDS = Histogram(
    "vitrine_model_seconds", "Calls to the model server: ok, or the error's code.",
    ("outcome",), buckets=_LATENCY_BUCKETS,
)  # fmt: skip
BREAKER_OPEN = Gauge(
    "vitrine_breaker_open", "1: this model did not answer and is not asked.", ("model",),
    multiprocess_mode="livemax",
)  # fmt: skip
BREAKER_OPENED = Counter("vitrine_breaker_opened_total", "Times that it opened.", ("model",))
MODEL_RETRIES = Counter("vitrine_model_retries_total", "Calls to the model made a second time.")

# What was ranked, computed after the answer (serving/ranking/slate/metrics.py)
MODEL_VERSION = Gauge(
    "vitrine_model_version", "Version of the model that answered last.",
    multiprocess_mode="mostrecent",
)  # fmt: skip
MODEL_RANKINGS = Counter(
    "vitrine_model_rankings_total", "Rankings by model version.", ("model_version",)
)
TOP_SCORE = Histogram(
    "vitrine_top_score", "Score of a slate's first item, by route.", ("route",),
    buckets=(-4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6, 8),
)  # fmt: skip
SCORE_DRIFT = Gauge(
    "vitrine_score_drift",
    "Population stability index of the model's top scores: the last ones against the first ones "
    "of its version. Over 0.25 is a shift.",
    multiprocess_mode="livemax",
)
KENDALL_DISTANCE = Histogram(
    "vitrine_kendall_distance",
    "Share of candidate pairs that the answer turned round: 0 as asked, 1 reversed.",
    ("route",), buckets=(0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)  # fmt: skip
RANKINGS_LOST = Counter(
    "vitrine_ranking_records_lost_total", "Ranking records that could not be written to the log."
)

# A candidate version beside the one that answered (serving/ranking/scoring/shadow.py)
SHADOW_RANKINGS = Counter(
    "vitrine_shadow_rankings_total",
    "Requests drawn for a shadow by outcome: ok, busy (no room), not_by_model (nothing to "
    "compare), version_not_loaded, or the candidate's error.",
    ("shop", "experiment", "outcome"),
)
SHADOW_OVERLAP = Histogram(
    "vitrine_shadow_overlap",
    "Rank-biased overlap, p = .9, of the candidate's order with the one answered: 1 the same.",
    ("shop", "experiment"), buckets=SHARES,
)  # fmt: skip
SHADOW_TOP_OVERLAP = Histogram(
    "vitrine_shadow_top_overlap", "Share of the first ten places that both have.",
    ("shop", "experiment"), buckets=SHARES,
)  # fmt: skip
SHADOW_SCORE_SHIFT = Histogram(
    "vitrine_shadow_score_shift",
    "How much higher the candidate scores, in spreads of the scores answered.",
    ("shop", "experiment"), buckets=(-4, -2, -1, -0.5, -0.2, -0.1, 0, 0.1, 0.2, 0.5, 1, 2, 4),
)  # fmt: skip
SHADOW_SECONDS = Histogram(
    "vitrine_shadow_model_seconds",
    "Calls to the model server for the same requests: live, candidate.",
    ("shop", "experiment", "version"), buckets=_LATENCY_BUCKETS,
)  # fmt: skip

EVENTS = Counter(
    "vitrine_events_total",
    "Behaviour events posted by outcome: accepted, duplicate, rejected (bad), refused (no room), "
    "objected (of a shopper who may not be learnt from).",
    ("shop", "outcome"),
)
for _outcome in ("accepted", "duplicate", "rejected", "refused", "objected"):
    EVENTS.labels(DEFAULT_SHOP, _outcome)  # there from the start: an increase needs a series before
KEY_RELOADS = Counter(
    "vitrine_key_reloads_total", "Changes of the key file: taken, or refused.", ("outcome",)
)


def exposition() -> bytes:
    """Prometheus text: of all processes that share the folder, or of this one without a folder."""
    # Not the variable alone: Feast sets it when it is imported, be it after values were kept here.
    if values.ValueClass is values.MutexValue:
        return generate_latest()
    return generate_latest(node_registry())


def node_registry() -> CollectorRegistry:
    """All processes that share the folder PROMETHEUS_MULTIPROC_DIR, added up at every reading."""
    registry = CollectorRegistry()
    registry.register(_Node(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])))
    return registry


class _Node(Collector):
    """Only what is declared by us: Ray and Feast write to the folder, too, with ids of processes
    and sessions and the machine's address as labels.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        # What a process counted stays when it is gone; what it was just now (rows queued) must not.
        live = self._folder.glob("gauge_live*_*.db")
        for pid in {int(path.stem.rsplit("_", 1)[1]) for path in live}:
            if not psutil.pid_exists(pid):
                multiprocess.mark_process_dead(pid, str(self._folder))  # type: ignore[no-untyped-call]
        registry = multiprocess.MultiProcessCollector(None, str(self._folder))  # type: ignore[no-untyped-call]
        families = registry.collect()  # type: ignore[no-untyped-call]
        return (family for family in families if family.name.startswith("vitrine_"))


def rankings_by_route(shop: str) -> dict[str, int]:
    """How many rankings of a shop this process has answered, by route."""
    answered: dict[str, int] = {}
    for metric in RANKINGS.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total") and sample.labels["shop"] == shop:
                route = sample.labels["route"]
                answered[route] = answered.get(route, 0) + int(sample.value)
    return answered
