"""The windows of a shop's clock, made of counted hours."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from serving.shops.alerts.baseline import Window
from serving.shops.labels.counting import Hours

HOUR_S = 3600
LATE_S = 300  # texts of a window may come so long after it
HISTORY_HOURS = {Window.HOUR: 18 * 7 * 24, Window.DAY: 40 * 7 * 24}  # that are read


@dataclass(frozen=True, slots=True)
class Counted:
    """A window that is over. first: its first hour, unix seconds // 3600; slot: of the week."""

    first: int
    hours: int
    slot: int
    count: float
    texts: float


def closed(
    hours: Hours, label: str, window: Window, zone: ZoneInfo, now_s: float
) -> Iterator[Counted]:
    """Windows from the first hour with a text to the last one that is over, in order."""
    if not hours:
        return
    end = int((now_s - LATE_S) // HOUR_S)  # the first hour that is not over
    group: list[tuple[int, datetime]] = []
    whole = window is Window.HOUR  # the first day begins when the first text came
    for hour in range(min(hours), end + 1):
        at = datetime.fromtimestamp(hour * HOUR_S, UTC).astimezone(zone)
        if group and (window is Window.HOUR or at.date() != group[0][1].date()):
            if whole:
                yield _counted(group, hours, label, window)
            group, whole = [], True
        group.append((hour, at))


def _counted(
    group: list[tuple[int, datetime]], hours: Hours, label: str, window: Window
) -> Counted:
    first, at = group[0]
    counts = [hours.get(hour, {}) for hour, _ in group]
    slot = at.weekday() * 24 + at.hour if window is Window.HOUR else at.weekday()
    return Counted(
        first,
        len(group),
        slot,
        sum(counted.get(label, 0.0) for counted in counts),
        sum(sum(counted.values()) for counted in counts),
    )
