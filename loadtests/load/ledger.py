"""What happened to each request, and the figures of a stretch of the run.

Latency counts from the second a request was DUE, not from when it was sent: what a stalled server,
or a generator that lags, keeps waiting is in the percentiles (no coordinated omission).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

OK, REFUSED = "ok", "refused"  # any other outcome is a failure, and says what it was
LATE_S = 0.25  # a request sent this much after the end of its stage still counts as sent within it


class Entry(NamedTuple):
    """One request. Times are seconds since the start of the schedule."""

    due_s: float
    sent_s: float
    answered_s: float
    endpoint: str
    outcome: str
    route: str  # "" unless a ranking was answered


class Ledger:
    """The requests of a run, in the order of their answers."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entries: Iterable[Iterable[float | str]]) -> None:
        """Write down entries; those of workers arrive as plain lists."""
        self._entries += [Entry(*entry) for entry in entries]  # type: ignore[arg-type]

    def take(self) -> list[Entry]:
        """All entries; they are this ledger's no longer."""
        taken, self._entries = self._entries, []
        return taken

    def table(self) -> pd.DataFrame:
        """One row a request: the fields of Entry and `latency_ms`."""
        table = pd.DataFrame(self._entries, columns=list(Entry._fields))
        table["latency_ms"] = 1000 * (table["answered_s"] - table["due_s"])
        return table


@dataclass(frozen=True, slots=True)
class Figures:
    """A stretch of the run in figures.

    Latencies are milliseconds from due, of rankings; of events where there are no rankings.
    """

    name: str
    seconds: float
    asked: int  # requests due
    sent: int  # of them, sent before the stretch was over
    answered: int
    failed: int
    refused: int  # 429: over the key's rate
    rankings: int
    fallbacks: int
    cold_starts: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float

    @property
    def achieved_share(self) -> float:
        """Of the requests asked for, those sent in time."""
        return self.sent / self.asked if self.asked else 0.0

    @property
    def failure_share(self) -> float:
        """Of the requests answered or given up."""
        return self.failed / self.answered if self.answered else 0.0

    @property
    def refused_share(self) -> float:
        """Of the requests answered or given up."""
        return self.refused / self.answered if self.answered else 0.0

    @property
    def fallback_share(self) -> float:
        """Of the rankings answered."""
        return self.fallbacks / self.rankings if self.rankings else 0.0


def figures(table: pd.DataFrame, name: str, start_s: float, end_s: float, asked: int) -> Figures:
    """The figures of the requests due from `start_s` until `end_s`, of which there were `asked`."""
    due = table[(table["due_s"] >= start_s) & (table["due_s"] < end_s)]
    routes = due["route"].value_counts()
    # A refusal comes fast and is no ranking: it must not make the percentiles look better.
    timed = due[due["outcome"] != REFUSED]
    if (timed["endpoint"] != "events").any():
        timed = timed[timed["endpoint"] != "events"]
    latencies = timed["latency_ms"]
    p50, p90, p99, top = (
        np.quantile(latencies, (0.5, 0.9, 0.99, 1.0)) if len(latencies) else [np.nan] * 4
    )
    return Figures(
        name=name,
        seconds=end_s - start_s,
        asked=asked,
        sent=int((due["sent_s"] <= end_s + LATE_S).sum()),
        answered=len(due),
        failed=int((~due["outcome"].isin((OK, REFUSED))).sum()),
        refused=int((due["outcome"] == REFUSED).sum()),
        rankings=int(routes.drop("", errors="ignore").sum()),
        fallbacks=int(routes.get("fallback", 0)),
        cold_starts=int(routes.get("cold_start", 0)),
        p50_ms=float(p50),
        p90_ms=float(p90),
        p99_ms=float(p99),
        max_ms=float(top),
    )
