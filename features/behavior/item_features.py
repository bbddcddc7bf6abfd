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


def _places(half_lives: Iterable[str]) -> slice:
    """Where the half-lives lie on their axis, evenly spaced: a slice copies nothing."""
    places = [HALF_LIFE[name] for name in half_lives]
    step = places[1] - places[0]
    assert places == [*range(places[0], places[-1] + 1, step)]
    return slice(places[0], places[-1] + 1, step)


_LOGGED = (
    (Counter.PURCHASE, _places(HALF_LIFE)),
    (Counter.INTEREST, _places(_INTEREST_LIVES)),
    (Counter.CART, _places(_CART_LIVES)),
)
_FASTER, _SLOWER = (_places(names) for names in zip(*_TRENDS, strict=True))
_RATED = _places(_CLICK_RATE_LIVES)
_SEASON = HALF_LIFE["120d"]
_LIVES_DAYS = ITEM_HALF_LIVES_S / DAY_S


def item_features(
    items: ItemTable,
    counters: ItemCounters,
    rows: RowArray,
    now_s: float,
    counts: FloatArray | None = None,
) -> FloatArray:
    """The columns of ITEM_FEATURES for the items in `rows`, float32 (n, len(ITEM_FEATURES)).

    counts: of `rows` at `now_s`, when the caller has faded them already
    """
    counts = counters.at(rows, now_s) if counts is None else counts
    out = np.empty((len(rows), len(ITEM_FEATURES)), np.float32)
    end = 0
    for counter, lives in _LOGGED:
        logged = counts[:, counter, lives]
        start, end = end, end + logged.shape[1]
        np.log1p(logged, out=out[:, start:end])
    examined, interest = counts[:, Counter.EXAMINED], counts[:, Counter.INTEREST]
    purchase, returned = counts[:, Counter.PURCHASE], counts[:, Counter.RETURN, _SEASON]
    # In steady demand a count is proportional to its half-life: the trend, log of a ratio, is then
    # 0, and above 0 when demand rises.
    per_day = (purchase + 0.2 * interest + 0.05) / _LIVES_DAYS
    start, end = end, end + len(_TRENDS)
    out[:, start:end] = np.log(per_day[:, _FASTER] / per_day[:, _SLOWER])
    clicks, exposures = CTR_PRIOR
    taps, sold = interest[:, _RATED], purchase[:, _SEASON]
    start, end = end, end + len(_CLICK_RATE_LIVES)
    out[:, start:end] = (taps + clicks) / (examined[:, _RATED] + taps + exposures)
    out[:, end] = (sold + 0.2) / (interest[:, _SEASON] + sold + 4.0)
    out[:, end + 1] = (returned + 0.1) / (sold + returned + 2.0)  # came back: is not in `sold`
    born_s = np.fmin(items.created_s.take(rows), counters.first_s.take(rows))
    # An item that is first known now is known by the very event that is to be predicted: its age
    # would give the label away.
    born_s[born_s >= now_s] = np.nan
    at_s = counters.at_s.take(rows)
    at_s[at_s <= 0] = np.nan
    ages = np.stack([born_s, np.minimum(at_s, now_s)], 1)
    out[:, end + 2 : end + 4] = np.log1p((now_s - ages) / DAY_S)
    out[:, end + 4] = items.log_price.take(rows)
    return out
