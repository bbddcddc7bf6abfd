"""What behaviour says of an item itself, whoever asks: demand, its trend, rates, age, price."""

from collections.abc import Iterable

import numpy as np

from features.arrays import FloatArray, RowArray
from features.catalog.counters import DAY_S, HALF_LIFE, ITEM_HALF_LIVES_S, Counter, ItemCounters
from features.catalog.table import ItemTable

_INTEREST_LIVES = ("1h", "1d", "7d", "30d")
_CART_LIVES = ("1d", "30d")
_TRENDS = (("1d", "7d"), ("7d", "30d"), ("30d", "120d"))  # of half-lives: faster over slower
_CLICK_RATE_LIVES = ("7d", "120d")
CTR_PRIOR = (1.0, 20.0)  # pseudo clicks and examinations: an unseen item has the shop's usual rate

ITEM_FEATURES = (
    *(f"item_purchase_{name}" for name in HALF_LIFE),
    *(f"item_interest_{name}" for name in _INTEREST_LIVES),
    *(f"item_cart_{name}" for name in _CART_LIVES),
    *(f"item_trend_{faster}_{slower}" for faster, slower in _TRENDS),
    *(f"item_click_rate_{name}" for name in _CLICK_RATE_LIVES),
    "item_buy_rate_120d",
    "item_return_rate_120d",
    "item_age_days",
    "item_idle_days",
    "item_log_price",
)


def _places(counter: Counter, half_lives: Iterable[str] = HALF_LIFE) -> RowArray:
    """Where a counter lies in a flat row (counters, half-lives) of ItemCounters."""
    return np.array([counter * len(HALF_LIFE) + HALF_LIFE[name] for name in half_lives])


_LOGGED = np.concatenate(  # in the order in which ITEM_FEATURES begins
    [
        _places(Counter.PURCHASE),
        _places(Counter.INTEREST, _INTEREST_LIVES),
        _places(Counter.CART, _CART_LIVES),
    ]
)
_EXAMINED, _INTEREST, _PURCHASE, _RETURNED = (
    _places(counter)
    for counter in (Counter.EXAMINED, Counter.INTEREST, Counter.PURCHASE, Counter.RETURN)
)
_FASTER, _SLOWER = np.array([[HALF_LIFE[name] for name in pair] for pair in _TRENDS]).T
_RATED = np.array([HALF_LIFE[name] for name in _CLICK_RATE_LIVES])
_SEASON = HALF_LIFE["120d"]


def item_features(
    items: ItemTable, counters: ItemCounters, rows: RowArray, now_s: float
) -> FloatArray:
    """The columns of ITEM_FEATURES for the items in `rows`, float32 (n, len(ITEM_FEATURES))."""
    counts = counters.at(rows, now_s).reshape(len(rows), -1)
    examined, interest = counts[:, _EXAMINED], counts[:, _INTEREST]
    purchase, returned = counts[:, _PURCHASE], counts[:, _RETURNED[_SEASON]]
    # In steady demand a count is proportional to its half-life: the trend, log of a ratio, is then
    # 0, and above 0 when demand rises.
    per_day = (purchase + 0.2 * interest + 0.05) / (ITEM_HALF_LIVES_S / DAY_S)
    clicks, exposures = CTR_PRIOR
    taps, sold = interest[:, _RATED], purchase[:, _SEASON]
    born_s = np.fmin(items.created_s[rows], counters.first_s[rows])
    # An item that is first known now is known by the very event that is to be predicted: its age
    # would give the label away.
    age = (now_s - np.where(born_s < now_s, born_s, np.nan)) / DAY_S
    at_s = counters.at_s[rows]
    idle = np.maximum(np.where(at_s > 0, (now_s - at_s) / DAY_S, np.nan), 0.0)
    columns = [
        np.log1p(counts[:, _LOGGED]),
        np.log(per_day[:, _FASTER] / per_day[:, _SLOWER]),
        (taps + clicks) / (examined[:, _RATED] + taps + exposures),
        ((sold + 0.2) / (interest[:, _SEASON] + sold + 4.0))[:, None],
        ((returned + 0.1) / (sold + returned + 2.0))[:, None],  # what came back is not in `sold`
        np.log1p(np.stack([age, idle], 1)),
        items.log_price[rows][:, None],
    ]
    return np.concatenate(columns, 1).astype(np.float32)
