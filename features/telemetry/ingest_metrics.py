"""Every metric of ingest, declared once. Labels come from closed sets, as serving's do.

All processes of a node write into one folder (PROMETHEUS_MULTIPROC_DIR), and any of them can tell
the sum: what ingest counts is in the same `/metrics` as what the replicas count.
"""

from typing import Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram

_MAX_VERSIONS, _MAX_ARMS, _MAX_PLACEMENTS = 20, 200, 100

_Value = TypeVar("_Value", str, tuple[str, str])


class _FirstMet(Generic[_Value]):
    """Bounds a label: the first `most` values met stay, all others are `other`."""

    def __init__(self, most: int, other: _Value) -> None:
        self._known: set[_Value] = set()
        self._most = most
        self._other: _Value = other

    def of(self, value: _Value) -> _Value:
        """What the label says for `value`."""
        if len(self._known) < self._most:
            self._known.add(value)
        return value if value in self._known else self._other


class VersionLabel(_FirstMet[str]):
    """Model versions as a label of bounded cardinality: the first 20 met, then "other"."""

    def __init__(self) -> None:
        super().__init__(_MAX_VERSIONS, "other")


class ArmLabel(_FirstMet[tuple[str, str]]):
    """Experiments and arms as two labels: the first 200 pairs met, then "other" and "other"."""

    def __init__(self) -> None:
        super().__init__(_MAX_ARMS, ("other", "other"))


class PlacementLabel(_FirstMet[str]):
    """Placements as a label: the first 100 met, then "other"."""

    def __init__(self) -> None:
        super().__init__(_MAX_PLACEMENTS, "other")


INGESTED = Counter(
    "vitrine_ingested_events_total",
    "Events taken from the log by outcome: folded, late (folded as well), "
    "completed (the rest of one whose item came later), future (ignored), "
    "objected (ignored: told before the shopper chose so).",
    ("shop", "outcome"),
)
UNKNOWN_ITEMS = Counter(
    "vitrine_ingested_unknown_items_total", "Events of items that the catalogue does not know."
)
HELD_EVENTS = Gauge(
    "vitrine_ingest_held_events", "Events that wait for the catalogue to know their item.",
    ("shop",),
    multiprocess_mode="mostrecent",
)  # fmt: skip
HELD_DROPPED = Counter(
    "vitrine_ingest_held_dropped_total",
    "Events whose item never came in time: too many waited (full), too long (expired), or the log "
    "keeps them no more (gone). Their item's counters and their shopper's taste lack them.",
    ("reason",),
)
for _reason in ("full", "expired", "gone"):
    HELD_DROPPED.labels(reason=_reason)  # there from the start: an increase needs a series before
CAPPED = Counter(
    "vitrine_ingest_capped_events_total",
    "Events that an item's counters took less of, because their shopper had given it enough.",
)
LEADER = Gauge(
    "vitrine_ingest_leader", "1: this ingest holds the lease and folds. 0: it stands by.",
    multiprocess_mode="mostrecent",
)  # fmt: skip
INGEST_FAILURES = Counter(
    "vitrine_ingest_failures_total",
    "Times that ingest failed and began again from the stores.",
    ("shop",),
)
EVENT_LAG_SECONDS = Histogram(
    "vitrine_event_lag_seconds",
    "From the append of a batch's oldest event until its features were written.",
    ("shop",),
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)
FLUSH_SECONDS = Histogram(
    "vitrine_ingest_flush_seconds", "Fold and write of a batch.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)  # fmt: skip
EVENTS_WAITING = Gauge(
    "vitrine_events_waiting", "Entries of the log that ingest has not taken in yet.",
    ("shop",),
    multiprocess_mode="mostrecent",
)  # fmt: skip
LOG_BYTES = Gauge(
    "vitrine_log_bytes", "Bytes of events and rankings in the log; in Redis estimated.",
    ("shop",),
    multiprocess_mode="mostrecent",
)  # fmt: skip
LOG_MAX_BYTES = Gauge(
    "vitrine_log_max_bytes", "What they are trimmed to; 0: no bound.",
    multiprocess_mode="mostrecent",
)  # fmt: skip
LOG_TRIMMED = Counter(
    "vitrine_log_trimmed_total",
    "Entries that went before their time, to keep the log within its bound, by kind: ranking, "
    "event (one that was folded).",
    ("shop", "kind"),
)
STORE_BYTES = Gauge(
    "vitrine_store_bytes",
    "Taken of the log's store: of Redis's memory, of the bytes for events in NATS, or a file's.",
    multiprocess_mode="mostrecent",
)
STORE_MAX_BYTES = Gauge(
    "vitrine_store_max_bytes",
    "What the log's store may take; 0: no bound.",
    multiprocess_mode="mostrecent",
)
OUTCOMES = Counter(
    "vitrine_outcomes_total",
    "Events by type and by how the ranking that showed the item came about: click-through and "
    "conversion by route and model version. 'unknown': no ranking_id, or one that is not known.",
    ("type", "route", "model_version"),
)
EXPERIMENT_OUTCOMES = Counter(
    "vitrine_experiment_outcomes_total",
    "Events by type and by the arms that the ranking they name belonged to; of one in two "
    "experiments they count in both. An arm is judged by its shoppers, in the experiment's report.",
    ("shop", "experiment", "variant", "type"),
)
PLACEMENT_OUTCOMES = Counter(
    "vitrine_placement_outcomes_total",
    "Events by type and by the placement of the ranking that they name.",
    ("shop", "placement", "type"),
)
