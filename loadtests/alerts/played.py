"""A simulated year before the judge: which alarms were false, which rises were found how soon."""

from dataclasses import dataclass, field

import numpy as np

from loadtests.alerts.streams import MONTHS, Stream
from serving.shops.alerts.baseline import PACES, Window
from serving.shops.alerts.judging import Criterion, Judge, State


@dataclass(slots=True)
class Played:
    """alarms: windows of the year in which it began to fire.

    delays: of each planted rise, windows until it was found, 1 = in its first one; None: not while
    it lasted
    """

    alarms: list[int] = field(default_factory=list)
    delays: list[int | None] = field(default_factory=list)
    usual: list[float] = field(default_factory=list)  # counts expected where a rise began
    promised: list[float] = field(default_factory=list)  # what `found_from` said there


def play(stream: Stream, criterion: Criterion, lasts: int = 0) -> Played:
    """lasts: windows of a planted rise."""
    judge, played = Judge(criterion), Played()
    week = PACES[criterion.window].week
    onsets = dict.fromkeys(stream.onsets)
    for window, count in enumerate(stream.counts.tolist()):
        slot = window % week
        if window in onsets and judge.state is not State.FIRING:
            played.usual.append(float(stream.rates[window]))
            played.promised.append(judge.found_from(slot) or np.inf)
            onsets[window] = True
        verdict = judge.see(slot, count, 1.0)
        if window >= stream.warm_up and verdict.changed and verdict.state is State.FIRING:
            played.alarms.append(window - stream.warm_up)
    for onset, asked in onsets.items():
        if asked:
            begun = onset - stream.warm_up
            found = [alarm - begun + 1 for alarm in played.alarms if 0 <= alarm - begun < lasts]
            played.delays.append(min(found, default=None))
    return played


@dataclass(frozen=True, slots=True)
class Finding:
    """Of all years with one window and volume."""

    window: Window
    per_day: float
    years: int
    false_a_month: float
    worst_month: int
    most_in_a_year: int
    planted: int
    found_in_two: float
    found_at_all: float
    usual: float
    promised: float


def finding(
    window: Window, per_day: float, without: list[Played], planted: list[Played], year: int
) -> Finding:
    """without, planted: years without rises and with them; year: windows of one year."""
    starts = [[alarm * 12 // year for alarm in each.alarms] for each in without]
    months = [np.bincount(each, minlength=12) for each in starts]
    delays = [delay for each in planted for delay in each.delays]
    found = np.array([np.inf if delay is None else delay for delay in delays])
    return Finding(
        window, per_day, len(without),
        float(np.mean([len(each.alarms) for each in without])) / MONTHS,
        int(np.max(months)), max(len(each.alarms) for each in without),
        len(delays), float((found <= 2).mean()), float(np.isfinite(found).mean()),
        float(np.median([usual for each in planted for usual in each.usual])),
        float(np.median([promised for each in planted for promised in each.promised])),
    )  # fmt: skip
