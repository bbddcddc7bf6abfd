"""KPIs of placements, where a job leaves them and every replica finds them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from features.catalog.counters import DAY_S
from features.controls.store import Documents
from features.objective import Objective
from features.store.kept import Kept
from serving.experiments.kpi.counting import KpiCount, count
from serving.shops.placements.placement import Placement

KPIS = "kpis"  # documents, by placement
DAYS = 30.0  # of rankings that are counted


def publish_kpis(
    placements: Mapping[str, Placement],
    kept: Kept,
    documents: Documents,
    objective: Objective,
    read_at_s: float,
    days: float = DAYS,
) -> Iterator[tuple[str, KpiCount]]:
    """Count each placement's KPI; keep and give each. Raises StoreFullError."""
    since_s = read_at_s - days * DAY_S
    for key, found in count(
        placements, kept.rankings(), kept.events(), objective, since_s, read_at_s
    ).items():
        documents.put(
            KPIS,
            key,
            {
                "kpi": placements[key].kpi.model_dump(mode="json"),
                "read_at": datetime.fromtimestamp(read_at_s, UTC).isoformat(),
                "since": datetime.fromtimestamp(since_s, UTC).isoformat(),
                **found.document,
            },
        )
        yield key, found


def kept_kpis(documents: Documents) -> dict[str, dict[str, Any]]:
    """What was counted last, of each placement that ever was: a KpiReading and its `kpi`."""
    return documents.all(KPIS)
