"""A lift that wears off: what the verdict says of it, and whether the reader is told."""

from dataclasses import dataclass

import numpy as np
from rich.console import Console

from features.arrays import DoubleArray
from features.telemetry.progress import tracked
from loadtests.experiments.bars import at_least, at_most
from loadtests.experiments.proofs import Proved, Size
from loadtests.experiments.worlds.tables import PLAN, looks_s, tables
from serving.experiments.report.reading import read

SHOPPERS = 20_000
AT_FIRST, HALF_LIFE_DAYS = 0.3, 3.0
CONSTANT = 0.1


@dataclass(slots=True)
class Told:
    """Of so many experiments, what the weekly readings said. At the end: on the last day."""

    runs: int = 0
    better: int = 0  # the deciding metric, at the end
    promote: int = 0  # the verdict, at the end
    falls: int = 0  # warned, at the end
    warned: int = 0  # warned, either way, on any look
    first: float = 0.0  # mean lifts at the end
    later: float = 0.0


def lifts(size: Size) -> dict[str, DoubleArray]:
    """By what is simulated: the lift on each day after exposure (days,)."""
    day = np.arange(size.days) + 0.5
    return {
        "a lift that wears off": AT_FIRST * 0.5 ** (day / HALF_LIFE_DAYS),
        "a lift that lasts": np.full(size.days, CONSTANT),
        "no lift": np.zeros(size.days),
    }


def novelty(size: Size, seed: int, console: Console) -> Proved:
    """The same reading of a lift that wears off, of one that lasts, and of none."""
    rng = np.random.default_rng(seed)
    found = {
        name: experiments(size, lift, SHOPPERS, rng, name, console)
        for name, lift in lifts(size).items()
    }
    fading, lasting, none = found.values()
    runs = size.read
    note = (
        f"{SHOPPERS:,} shoppers, {AT_FIRST:+.0%} at first, half of it every {HALF_LIFE_DAYS:g} "
        f"days; the metric is better in {fading.better / runs:.0%}"
    )
    bars = [
        at_least("novelty: told that the lift falls", fading.falls, runs, 0.8, note),
        at_most("novelty: promoted although it wears off", fading.promote, runs, 0.2, note),
        at_most(
            "novelty: false warnings, a lift that lasts", lasting.warned, runs, 0.05,
            f"{CONSTANT:+.0%}; promoted in {lasting.promote / runs:.0%}",
        ),
        at_most("novelty: false warnings, no lift", none.warned, runs, 0.05, "on any weekly look"),
    ]  # fmt: skip
    figures = {
        name: {field: getattr(told, field) for field in Told.__dataclass_fields__}
        for name, told in found.items()
    }
    return Proved(bars, {"shoppers": SHOPPERS, **figures})


def experiments(
    size: Size, lift: DoubleArray, n: int, rng: np.random.Generator, name: str, console: Console
) -> Told:
    """Simulated and read every week."""
    told = Told()
    looks = looks_s(np.arange(14, size.days + 1, 7))
    for _ in tracked(range(size.read), f"{name}, read weekly", console):
        data = tables(size.population, n, lift, rng)
        warned = False
        for at_s in looks:
            reading = read(PLAN, data, at_s)
            (arm,) = reading.arms or (None,)
            lasting = arm.lasting if arm else None
            warned |= lasting is not None and lasting.finding != "open"
            if at_s == looks[-1] and arm is not None:
                told.better += arm.deciding.finding == "better"
                told.promote += arm.verdict.word == "better"
                told.falls += lasting is not None and lasting.finding == "falls"
                first, later = arm.others
                told.first += (first.lift or 0.0) / size.read
                told.later += (later.lift or 0.0) / size.read
        told.warned += warned
        told.runs += 1
    return told
