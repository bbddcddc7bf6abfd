"""Which series are declared, and which a PromQL expression asks for."""

import re
from dataclasses import dataclass
from math import inf
from types import ModuleType

from prometheus_client.metrics import Counter, Histogram, MetricWrapperBase

import features.telemetry.ingest_metrics
import serving.telemetry.exposure_metrics
import serving.telemetry.metrics
import serving.telemetry.picture_metrics
import serving.telemetry.text_metrics

TARGET_LABELS = frozenset({"namespace"})  # given by who scrapes, not by who is scraped
# Triton's own. tests/contract/service/test_prometheus.py holds them against a real server.
TRITON = {
    "nv_inference_request_success": frozenset({"model", "version"}),
    "nv_inference_request_failure": frozenset({"model", "version", "reason"}),
    "nv_inference_exec_count": frozenset({"model", "version"}),
    "nv_inference_queue_duration_us": frozenset({"model", "version"}),
    "nv_inference_compute_infer_duration_us": frozenset({"model", "version"}),
    "nv_inference_pending_request_count": frozenset({"model", "version"}),
}
_SELECTOR = re.compile(r"\b((?:vitrine|nv)(?:_[a-z0-9_]+|:[a-z0-9_:]+))(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'\s*([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*(?:,|$)')
_GROUPED = re.compile(r"\b(?:by|on|group_left)\s*\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Selector:
    """A series that an expression reads. matchers: label, operator, value."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


def metrics_of(module: ModuleType) -> list[MetricWrapperBase]:
    """The metrics that a module declares."""
    return [each for each in vars(module).values() if isinstance(each, MetricWrapperBase)]


def every_metric() -> dict[str, MetricWrapperBase]:
    """All declared metrics by the name they are declared under."""
    found = {}
    for module in (
        serving.telemetry.metrics,
        serving.telemetry.exposure_metrics,
        serving.telemetry.text_metrics,
        serving.telemetry.picture_metrics,
        features.telemetry.ingest_metrics,
    ):
        for metric in metrics_of(module):
            name = next(metric.describe().__iter__()).name
            found[f"{name}_total" if isinstance(metric, Counter) else name] = metric
    return found


def declared() -> dict[str, frozenset[str]]:
    """The labels of every series that serving, ingest and Triton give."""
    found = dict(TRITON)
    for name, metric in every_metric().items():
        labels = frozenset(metric._labelnames)
        if isinstance(metric, Histogram):
            found |= {f"{name}_sum": labels, f"{name}_count": labels}
            found[f"{name}_bucket"] = labels | {"le"}
        else:
            found[name] = labels
    return found


def buckets(name: str) -> frozenset[str]:
    """The values of `le` that the series `<name>_bucket` has."""
    metric = every_metric()[name.removesuffix("_bucket")]
    assert isinstance(metric, Histogram)
    return frozenset(str(bound) if bound != inf else "+Inf" for bound in metric._upper_bounds)


def selectors(expression: str) -> list[Selector]:
    """Every series that `expression` reads; raises ValueError for matchers it cannot read."""
    found = []
    for name, inside in _SELECTOR.findall(expression):
        matchers = tuple(_MATCHER.findall(inside))
        if _MATCHER.sub("", inside).strip():
            raise ValueError(f"{name}{{{inside}}}")
        found.append(Selector(name, matchers))
    return found


def grouped(expression: str) -> set[str]:
    """The labels that `expression` groups or joins by."""
    lists = _GROUPED.findall(expression)
    return {label.strip() for each in lists for label in each.split(",") if label.strip()}
