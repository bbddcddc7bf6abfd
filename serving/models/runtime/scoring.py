"""What the ranker computes between BERT's vectors and the head: pure NumPy, no I/O.

Training imports this module and a published version carries a copy of it beside `model.py`, so the
numbers that the head was fitted on are the numbers that it is served. It runs on NumPy 1 and 2.

Vectors are mean-pooled BERT states of length 1, so a dot product is a cosine.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Columns that follow the behaviour features in the head's input.
TEXT_FEATURES = (
    "text_query",  # cosine of query and item
    "text_user_max",  # best match among the shopper's recent items
    "text_user_top3",  # mean of the three best
    "text_user_profile",  # cosine with the recency-weighted mean of the recent items
    "text_session_max",
    "text_session_top3",
    "text_session_profile",
    "text_bought_max",  # best match among what the shopper has bought, however long ago
    "text_bought_top3",
    "text_bought_share",  # log of the share of the purchases that is like the item
    "text_bought_rate",  # log of how many a day are like it
    "text_bought_lately",  # log of days since the last one, and more the less it is like the item
)
RECENCY_DECAY = 0.9  # weight of the next older history item in the profile
# A purchase counts for an item by exp((cosine - 1) / LIKENESS): a cosine of .9 for a third.
LIKENESS = 0.08
UNLIKENESS = 12.0  # by what 1 - cosine puts a purchase into the past, in units of log days
NO_HABIT_DAYS = 7.0  # added to the days since the first purchase: once today is no habit


def text_features(
    items: FloatArray,
    query: FloatArray | None,
    user_history: FloatArray,
    session_history: FloatArray,
    bought: FloatArray,
    purchases: FloatArray,
) -> FloatArray:
    """Text matches of one request's candidates, float32 (n_items, len(TEXT_FEATURES)).

    items:                          float32 (n_items, d); a row of zeros has no text
    query:                          float32 (d,) or None
    user_history, session_history:  float32 (n, d), newest first, n may be 0
    bought:                         float32 (n, d) items that the shopper has bought, n may be 0
    purchases:                      float32 (n, 3): times bought, days since the first and the last
    NaN stands where there is nothing to compare: no query, no history, no item text.
    """
    out = np.full((len(items), len(TEXT_FEATURES)), np.nan, np.float32)
    if query is not None:
        out[:, 0] = items @ query
    out[:, 1:4] = _history_matches(items, user_history)
    out[:, 4:7] = _history_matches(items, session_history)
    out[:, 7:12] = _purchase_matches(items, bought, purchases)
    out[~items.any(axis=1)] = np.nan
    return out


def _history_matches(items: FloatArray, history: FloatArray) -> FloatArray:
    if len(history) == 0:
        return np.full((len(items), 3), np.nan, np.float32)
    best, top3 = _best_matches(items @ history.T)
    weights = RECENCY_DECAY ** np.arange(len(history), dtype=np.float32)
    profile = weights @ history
    profile /= np.linalg.norm(profile) + 1e-9
    return np.stack([best, top3, items @ profile], axis=1)


def _purchase_matches(items: FloatArray, bought: FloatArray, purchases: FloatArray) -> FloatArray:
    if len(bought) == 0:
        return np.full((len(items), 5), np.nan, np.float32)
    times, first_days, last_days = purchases.T
    cosines = items @ bought.T
    best, top3 = _best_matches(cosines)
    like = np.exp((cosines - 1) / np.float32(LIKENESS))
    share = np.log(like @ (times / times.sum()) + 1e-4)
    rate = np.log(like @ (times / (first_days + NO_HABIT_DAYS)) + 1e-4)
    lately = (np.log1p(last_days) + UNLIKENESS * (1 - cosines)).min(axis=1)
    return np.stack([best, top3, share, rate, lately], axis=1)


def _best_matches(cosines: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The largest of each row, and the mean of the three largest, or of as many as there are.

    Three times the largest of what is left: to sort the rows takes several times as long.
    """
    left = cosines.copy()
    flat, starts = left.reshape(-1), np.arange(len(left)) * left.shape[1]
    found = []
    for _ in range(min(3, left.shape[1])):
        places = starts + left.argmax(axis=1)
        found.append(flat.take(places))
        flat[places] = -np.inf
    total = found[-1]
    for values in found[-2::-1]:  # the smallest first, as a mean over sorted rows adds them
        total = total + values
    return found[0], total / np.float32(len(found))
