"""When shoppers come: evenly, or as in a shop with nights, weekends and a sale."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.arrays import DoubleArray

# Of an hour's rate against the mean; set by eye after the evening peak of grocers and fashion.
_HOURS = (
    0.4, 0.2, 0.1, 0.1, 0.1, 0.2, 0.4, 0.7, 0.9, 1.0, 1.1, 1.2,
    1.2, 1.1, 1.0, 1.0, 1.1, 1.3, 1.6, 2.0, 2.3, 2.2, 1.6, 0.9,
)  # fmt: skip
_WEEKDAYS = (0.8, 0.8, 0.9, 0.9, 1.1, 1.4, 1.3)
_SALE_DAYS, _SALE = (14, 21), 2.5  # days of the experiment, and how many times as much in them


@dataclass(frozen=True, slots=True)
class Calendar:
    """The rate of every hour against that of a mean one: `hourly` from `start_day`, days before the
    experiment are negative. Without hours every day is like the others."""

    hourly: tuple[float, ...] = ()
    start_day: int = 0

    def until(self, day: npt.ArrayLike) -> DoubleArray:
        """Mean days' worth of visits until then; differences count, days may have fractions."""
        if not self.hourly:
            return np.asarray(day, np.float64)
        knots = self.start_day + np.arange(len(self.hourly) + 1) / 24
        total = np.concatenate([[0.0], np.cumsum(self.hourly)]) / 24
        out: DoubleArray = np.interp(np.asarray(day, np.float64), knots, total)
        return out

    def arrivals(self, n: int, days: int) -> DoubleArray:
        """When `n` shoppers come for the first time in so many days, ascending: as often as others
        come. Evenly: at the beginning of a day."""
        if not self.hourly:
            return ((np.arange(n) * days) // n).astype(np.float64)
        hours = np.arange(days * 24 + 1) / 24
        total = self.until(hours)
        share = (np.arange(n) + 0.5) / n
        out: DoubleArray = np.interp(total[0] + share * (total[-1] - total[0]), total, hours)
        return out


EVEN = Calendar()


def seasons(days: int, past_days: int) -> Calendar:
    """Hours, weekdays and a sale in the third week, from `past_days` before the experiment on; the
    mean of a day without the sale is 1."""
    hourly = []
    for hour in range(-past_days * 24, days * 24):
        day = hour // 24
        sale = _SALE if _SALE_DAYS[0] <= day < _SALE_DAYS[1] else 1.0
        hourly.append(_HOURS[hour % 24] * _WEEKDAYS[day % 7] * sale)
    mean = float(np.mean(_HOURS) * np.mean(_WEEKDAYS))
    return Calendar(tuple(each / mean for each in hourly), -past_days)
