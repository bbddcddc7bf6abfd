"""Reads an interleave: did each arm pick first as often, and whose picks do shoppers prefer?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.arrays import DoubleArray
from features.events.event import EventType
from serving.experiments.report.interleaved.credit import Picks
from serving.experiments.report.plan import Plan
from serving.experiments.report.reading import sample_ratio
from serving.experiments.report.result import ExperimentReading, SampleRatio, Verdict
from serving.experiments.report.shoppers import day_ends
from serving.experiments.statistics.interleaving import Preference, preference
from serving.experiments.statistics.sequence import LEAST_SHOPPERS

_EVEN = 0.5


@dataclass(frozen=True, slots=True)
class TeamReading:
    """One arm. first: rankings in which it picked first; picks: items shown that are its own;
    credit: the labels of these items, together."""

    arm: str
    first: int
    picks: int
    clicks: int
    carts: int
    purchases: int
    credit: float


@dataclass(frozen=True, slots=True)
class SharePoint:
    """The second arm's share of the credit as it was read at the end of a day."""

    day: int
    share: float
    low: float
    high: float


class InterleavedReading(ExperimentReading):
    """The whole reading. `control` is the first arm, `treatment` the other; `sample_ratio` counts
    the rankings in which each picked first. `interleaving`: None when the ratio forbids to read on,
    or too few shoppers did anything."""

    treatment: str
    rankings: int  # of those who are in it
    interleaved: int  # the ones among them with picks of both
    teams: tuple[TeamReading, ...]
    by_day: tuple[SharePoint, ...] = ()


def read(plan: Plan, picks: Picks, read_at_s: float) -> InterleavedReading:
    """The reading at `read_at_s`, until when `picks` go; raises ExperimentDataError when nothing
    was interleaved."""
    times = np.concatenate(picks.first_s)
    ends = day_ends(pd.DataFrame({"first_exposed_s": times}), read_at_s)
    counts = [np.searchsorted(each, ends, side="right") for each in picks.first_s]
    ratio = sample_ratio(
        np.stack(counts, axis=1).astype(np.int64), dict.fromkeys(picks.arms, _EVEN), plan.looks
    )
    by_day = [_preference(credit, plan) for credit in picks.credit(ends.tolist())]
    readable = ratio.state != "mismatch"
    found = by_day[-1] if readable else None
    (last,) = picks.credit([read_at_s])
    return InterleavedReading(
        experiment=plan.experiment,
        read_at_s=read_at_s,
        control=picks.arms[0],
        looks=plan.looks,
        alpha=plan.alpha,
        correction=plan.correction,
        sample_ratio=ratio,
        in_two_arms=0,
        interleaving=found,
        verdict=_verdict(picks, ratio, found, int(np.any(last != 0, axis=1).sum())),
        treatment=picks.arms[1],
        rankings=picks.rankings,
        interleaved=picks.interleaved,
        teams=tuple(_team(picks, number, last) for number in range(len(picks.arms))),
        by_day=tuple(_points(by_day)) if readable and plan.by_day else (),
    )


def _preference(credit: DoubleArray, plan: Plan) -> Preference | None:
    """None: too few shoppers did anything."""
    if np.any(credit != 0, axis=1).sum() < LEAST_SHOPPERS:
        return None
    return preference(credit, plan.alpha, plan.looks, plan.tuned_to)


def _points(by_day: Sequence[Preference | None]) -> list[SharePoint]:
    return [
        SharePoint(day=day, share=found.share, low=found.low, high=found.high)
        for day, found in enumerate(by_day, start=1)
        if found is not None
    ]


def _team(picks: Picks, number: int, credit: DoubleArray) -> TeamReading:
    own = (picks.team == number).tolist()
    done = Counter(deed.kind for deed in picks.deeds if own[deed.place])
    return TeamReading(
        arm=picks.arms[number],
        first=len(picks.first_s[number]),
        picks=sum(own),
        clicks=done[EventType.CLICK],
        carts=done[EventType.ADD_TO_CART],
        purchases=done[EventType.PURCHASE],
        credit=float(credit[:, number].sum()),
    )


def _verdict(picks: Picks, ratio: SampleRatio, found: Preference | None, shoppers: int) -> Verdict:
    control, treatment = picks.arms
    if ratio.state == "mismatch":
        firsts = " and ".join(f"{arm} {n:,}" for arm, n in ratio.counts.items())
        return Verdict(
            word="do not read", sentence="Do not read this experiment: by the coin each arm picks "
            f"first as often, but in the log {firsts} times (p = {ratio.p:.2g}); find out which "
            "rankings were lost before you look at anything else.",
        )  # fmt: skip
    if found is None:
        return Verdict(
            word="open", sentence=f"Too early to say which arm shoppers prefer: {shoppers:,} did "
            f"anything with what was interleaved, {LEAST_SHOPPERS} are needed.",
        )  # fmt: skip
    told = (
        f"{found.share:.1%} of the credit (between {found.low:.1%} and {found.high:.1%}, "
        f"{found.shoppers:,} shoppers)"
    )
    if found.low > _EVEN or found.high < _EVEN:
        better = found.low > _EVEN
        liked = f"{treatment}: it has" if better else f"{control}: {treatment} has"
        return Verdict(
            word="better" if better else "worse", sentence=f"Shoppers prefer {liked} {told}; by "
            "how much it earns more, an A/B test says." if better else f"Shoppers prefer {liked} "
            f"{told}; stop {treatment}.",
        )  # fmt: skip
    return Verdict(
        word="open", sentence=f"Not decided: {treatment} has {told}; go on, or stop when that "
        "range is narrow enough for you.",
    )  # fmt: skip
