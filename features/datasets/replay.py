"""Moving a historic log to now, so that "this week" in the log is this week on the clock."""

import math
from dataclasses import replace

from features.datasets.format import Dataset

WEEK_S = 7 * 86_400.0


def shift_to_now(dataset: Dataset, now_s: float) -> Dataset:
    """Move `at` and `created_at` by whole weeks: the last event falls in (now - 7 days, now].

    Whole weeks keep weekdays and hours. Shifts always, whatever `info.replay` says: the caller
    decides. A data set without events is returned as it is.
    """
    if dataset.events.empty:
        return dataset
    weeks = math.floor((now_s - float(dataset.events["at"].max())) / WEEK_S)
    shift_s = weeks * WEEK_S
    return replace(
        dataset,
        items=dataset.items.assign(created_at=dataset.items["created_at"] + shift_s),
        events=dataset.events.assign(at=dataset.events["at"] + shift_s),
    )
