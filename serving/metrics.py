"""Every metric, declared once. Labels come from closed sets: never an id, a query or a text."""

from prometheus_client import Counter, Gauge, Histogram

_LATENCY_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip

REQUESTS = Counter(
    "vitrine_requests_total", "HTTP requests by endpoint and status.", ("endpoint", "status")
)
REQUEST_SECONDS = Histogram(
    "vitrine_request_seconds", "HTTP latency by endpoint.", ("endpoint",), buckets=_LATENCY_BUCKETS
)
RANKINGS = Counter(
    "vitrine_rankings_total", "Rankings by route and reason; reason 'none' is the model.",
    ("route", "reason"),
)  # fmt: skip
STAGE_SECONDS = Histogram(
    "vitrine_stage_seconds", "Where a ranking's time goes.", ("stage",), buckets=_LATENCY_BUCKETS
)
BATCH_ROWS = Histogram(
    "vitrine_batch_rows", "Candidate rows of a request's batch.",
    buckets=(10, 25, 50, 100, 200, 500, 1000, 2000, 5000),
)  # fmt: skip
BATCH_WAIT_SECONDS = Histogram(
    "vitrine_batch_wait_seconds", "Wait for a batch to start.", buckets=_LATENCY_BUCKETS
)
EVENTS = Counter("vitrine_events_total", "Behaviour events by outcome.", ("outcome",))
CATALOG_ITEMS = Gauge("vitrine_catalog_items", "Items that this replica can rank.")
EVENT_LAG_SECONDS = Gauge(
    "vitrine_event_lag_seconds", "Age of the newest event when its features were written."
)
RANKINGS_LOST = Counter(
    "vitrine_ranking_records_lost_total", "Ranking records that could not be written to the log."
)


def rankings_by_route() -> dict[str, int]:
    """How many rankings this process has answered, by route."""
    answered: dict[str, int] = {}
    for metric in RANKINGS.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total"):
                route = sample.labels["route"]
                answered[route] = answered.get(route, 0) + int(sample.value)
    return answered
