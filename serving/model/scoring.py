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
)
# How many recent items are compared, newest first: a published version is asked with no more.
USER_HISTORY = 20
SESSION_HISTORY = 8
RECENCY_DECAY = 0.9  # weight of the next older history item in the profile


def text_features(
    items: FloatArray,
    query: FloatArray | None,
    user_history: FloatArray,
    session_history: FloatArray,
) -> FloatArray:
    """Text matches of one request's candidates, float32 (n_items, len(TEXT_FEATURES)).

    items:                          float32 (n_items, d); a row of zeros has no text
    query:                          float32 (d,) or None
    user_history, session_history:  float32 (n, d), newest first, n may be 0
    NaN stands where there is nothing to compare: no query, no history, no item text.
    """
    out = np.full((len(items), len(TEXT_FEATURES)), np.nan, np.float32)
    if query is not None:
        out[:, 0] = items @ query
    out[:, 1:4] = _history_matches(items, user_history)
    out[:, 4:7] = _history_matches(items, session_history)
    out[~items.any(axis=1)] = np.nan
    return out


def _history_matches(items: FloatArray, history: FloatArray) -> FloatArray:
    if len(history) == 0:
        return np.full((len(items), 3), np.nan, np.float32)
    cosines = items @ history.T
    top = np.sort(cosines, axis=1)[:, -3:]
    weights = RECENCY_DECAY ** np.arange(len(history), dtype=np.float32)
    profile = weights @ history
    profile /= np.linalg.norm(profile) + 1e-9
    return np.stack([top[:, -1], top.mean(axis=1), items @ profile], axis=1)
