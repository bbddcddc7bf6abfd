"""Part three: what one GPU replaces of the sizes in helm/README.md, and where batches should end.

Computed from the measured latencies; `ASSUMED` says what stands behind the numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from loadtests.gpu.check.latency import LATENCY
from loadtests.gpu.check.report import Report, Row

ASSUMED = (
    "A batch is computed while the next one waits: none are computed side by side.",
    "Each batch costs the model server's own hop besides, as measured on CPUs "
    "(docs/model-server.md); what packing costs in Python stays with the Ranker replicas.",
    "A GPU is as busy as a CPU pod of the table, 0.6; every query is new, every item remembered.",
    "A CPU pod takes what helm/README.md says, at as many requests a batch as there, for the "
    "candidates of this measurement; its cost a row is that of a small model.",
    "Ingress and Ranker replicas stay as they are: a GPU replaces Triton's CPU pods alone.",
)
GOOD = 0.8  # of the best throughput


def sized(report: Report, costs: Mapping[str, float]) -> list[Row]:
    """A row for each variant whose latencies were measured for three batch sizes at least.

    costs: by name, of the packed about.json.
    """
    variants: dict[tuple[str, str, str], list[Row]] = {}
    for row in report.rows(LATENCY):
        key = (row["runs"], row["precision"], row["mode"])
        variants.setdefault(key, []).append(row)
    return [
        {"runs": runs, "precision": precision, "mode": mode, **_of_variant(rows, costs)}
        for (runs, precision, mode), rows in variants.items()
        if len(rows) > 2
    ]


def knee(requests: Any, ms: Any) -> Row:
    """Fixed cost and cost a request of latencies (n,) by batch size (n,), and what follows.

    A batch of k takes `fixed_ms + k * request_ms`, least squares of relative errors. `knee`: the k
    at which half of a call is work that grows with the batch; None when nothing grows. `enough`:
    the smallest measured k with GOOD of the best throughput.
    """
    k, times = np.asarray(requests, float), np.asarray(ms, float)
    slope, fixed = np.polyfit(k, times, 1, w=1 / times)
    slope, fixed = max(float(slope), 0.0), max(float(fixed), 0.0)
    rates = k / times
    return {
        "fixed_ms": fixed,
        "request_ms": slope,
        "knee": fixed / slope if slope > 0 else None,
        "enough": int(k[rates >= GOOD * rates.max()].min()),
    }


def _of_variant(rows: list[Row], costs: Mapping[str, float]) -> Row:
    requests = [row["requests"] for row in rows]
    hop_ms = 1000 * costs["hop_s"]
    found = knee(requests, [row["ms"] for row in rows])
    with_hop = {row["requests"]: row["requests"] / (row["ms"] + hop_ms) * 1000 for row in rows}
    best = max(with_hop.values())
    pod = costs["cpu_requests"] / (
        costs["batch_s"] + costs["row_s"] * costs["candidates"] * costs["cpu_requests"]
    )
    served = costs["busy"] * best
    return {
        **found,
        # Below this rate a GPU that takes each request alone is no busier than `busy`.
        "alone_per_s": costs["busy"] * with_hop[min(with_hop)],
        "rankings_per_s": served,
        "cpu_pod_per_s": costs["busy"] * pod,
        "replaces_cpu_pods": best / pod,
        "ingress_replicas_to_feed_it": served * costs["ingress_s"] / costs["busy"],
        "ranker_replicas_to_feed_it": served * costs["ranker_s"] / costs["busy"],
    }
