"""Metrics of pictures (serving/pictures/)."""

from prometheus_client import Counter, Gauge

PICTURES = Gauge(
    "vitrine_pictures", "Pictures of items by state: waiting, ready, failed.", ("shop", "state"),
    multiprocess_mode="mostrecent",
)  # fmt: skip
PICTURES_LOOKED_AT = Counter(
    "vitrine_pictures_looked_at_total",
    "Pictures that a worker looked at by outcome: ready, or what is wrong (docs/pictures.md).",
    ("outcome",),
)
