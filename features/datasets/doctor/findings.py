"""A finding: what is wrong, how often, one example, and what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

import pandas as pd


class Severity(IntEnum):
    """How much a finding hurts."""

    NOTE = 0  # worth knowing
    WARNING = 1  # search or ranking is worse for it
    SEVERE = 2  # search or ranking cannot do its work


@dataclass(frozen=True, slots=True)
class Finding:
    """`count` of `total` rows; `example` is one of them, "" where none can be shown."""

    severity: Severity
    what: str
    count: int
    total: int
    example: str = ""
    advice: str = ""

    @property
    def share(self) -> float:
        """Of the rows."""
        return self.count / self.total if self.total else 1.0


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then by share."""
    return sorted(findings, key=lambda each: (-each.severity, -each.share))


def graded(
    what: str,
    rows: pd.Series,
    example: pd.Series,
    warn: float,
    severe: float = 2.0,
    advice: str = "",
    note: float = 0.0,
) -> Iterator[Finding]:
    """A finding where more than the share `note` of the rows is so; graver above the others.

    rows: bool (n,); example: what is shown of the first such row, (n,). Yields one or nothing.
    """
    count = int(rows.sum())
    share = count / len(rows) if len(rows) else 0.0
    if not count or share <= note:
        return
    severity = Severity((share > warn) + (share > severe))
    shown = " ".join(str(example[rows].iloc[0]).split())
    yield Finding(severity, what, count, len(rows), shown[:80], advice)
