"""Metrics of pictures (serving/pictures/)."""

from prometheus_client import Counter, Gauge, Histogram

PICTURES = Gauge(
    "vitrine_pictures", "Pictures of items by state: waiting, ready, failed.", ("shop", "state"),
    multiprocess_mode="mostrecent",
)  # fmt: skip
PICTURES_LOOKED_AT = Counter(
    "vitrine_pictures_looked_at_total",
    "Pictures that a worker looked at by outcome: ready, or what is wrong (docs/pictures.md).",
    ("outcome",),
)
PICTURES_UNREAD = Gauge(
    "vitrine_pictures_unread", "Pictures that wait to be read.", ("shop",),
    multiprocess_mode="mostrecent",
)  # fmt: skip
PICTURES_READ = Counter(
    "vitrine_pictures_read_total",
    "Pictures that were read by outcome: read, blank, or what is wrong (docs/pictures.md).",
    ("outcome",),
)
PICTURE_READING_SECONDS = Histogram(
    "vitrine_picture_reading_seconds",
    "How long the reader took over a picture.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 30),
)
