"""Hours, weekdays and a sale, the same for both arms: nothing may be found, and the past saves."""

from dataclasses import replace

import numpy as np
from rich.console import Console

from loadtests.experiments.bars import Bar
from loadtests.experiments.calendar import seasons as calendar
from loadtests.experiments.population import PAST_DAYS
from loadtests.experiments.proofs import Proved, Size, false_alarms, history


def seasons(size: Size, seed: int, console: Console) -> Proved:
    """A/A of a shop with a calendar, read every day."""
    told = calendar(size.days, PAST_DAYS)
    seasonal = replace(size, population=replace(size.population, calendar=told))
    proved = false_alarms(seasonal, seed, console)
    mean, deviation, saved, by_age = history(seasonal, np.random.default_rng(seed))
    own = 1 - (1 - saved) / (1 - by_age)
    note = "of what is left when it is known how long ago a shopper was exposed"
    bars = [
        *(replace(bar, name=f"seasons: {bar.name}") for bar in proved.bars),
        Bar("seasons: variance that the past saves", own, 0.25, True, None, note),
    ]
    figures = {"mean": mean, "deviation": deviation, "saved": saved, "saved_by_age": by_age}
    return Proved(bars, {**proved.figures, **figures})
