"""Held-out slates as padded requests, and the table of the vectors of their items."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from loadtests.gpu.check.model.carried import Array, Arrays
from loadtests.gpu.check.model.ranking import Requests

HISTORIES = ("USER_HISTORY_COUNTS", "SESSION_HISTORY_COUNTS", "BOUGHT_COUNTS")
_LEAST = 3  # items of a history: matches take the three best


def table(vectors: npt.NDArray[np.float32], rows: int = 0) -> torch.Tensor:
    """Vectors as they are remembered, float16, behind a row of zeros; repeated up to `rows`."""
    size = max(rows, len(vectors) + 1)
    out = np.zeros((size, vectors.shape[1]), np.float16)
    out[1:] = np.resize(vectors, (size - 1, vectors.shape[1]))
    return torch.from_numpy(out)


def padded_requests(slates: Arrays, keys: Array, n_candidates: int | None = None) -> Requests:
    """All slates; keys (n,): those of the table's rows from 1 on.

    n_candidates: each slate's candidates are repeated or cut to so many; None: as wide as the
    widest, zero-padded.
    """
    row_of = {0: 0} | {key: row for row, key in enumerate(keys.tolist(), start=1)}
    items = np.array([row_of[key] for key in slates["ITEM_KEYS"].tolist()], np.int64)
    history = np.array([row_of[key] for key in slates["HISTORY_KEYS"].tolist()], np.int64)
    counts = np.stack([slates[name] for name in HISTORIES], 1).astype(np.int64)
    pieces = np.split(history, np.cumsum(counts.ravel())[:-1])
    user, session, bought = (_padded(pieces[at::3], _LEAST) for at in range(3))
    offsets = np.cumsum(slates["ROW_COUNTS"])[:-1]
    candidates = np.split(items, offsets)
    features = np.split(slates["FEATURES"], offsets)
    if n_candidates is not None:
        chosen = [np.resize(np.arange(len(rows)), n_candidates) for rows in candidates]
        candidates = [rows[at] for rows, at in zip(candidates, chosen, strict=True)]
        features = [rows[at] for rows, at in zip(features, chosen, strict=True)]
    purchases = np.split(slates["PURCHASES"], np.cumsum(counts[:, 2])[:-1])
    arrays = (
        slates["QUERY_TOKENS"].astype(np.int64),
        _padded(candidates),
        user,
        session,
        bought,
        counts,
        _padded(purchases, _LEAST),
        _padded(features),
    )
    return Requests(*(torch.from_numpy(each) for each in arrays))


def with_queries(asked: Requests, queries: Array, start: int) -> Requests:
    """The requests, each with another of the queries (m, width), from number `start` on."""
    rows = (start + np.arange(len(asked.counts))) % len(queries)
    return asked._replace(tokens=torch.from_numpy(queries[rows].astype(np.int64)))


def _padded(rows: Sequence[Array], least: int = 0) -> Array:
    """Arrays of one type under each other, as long as the longest, zeros behind."""
    length = max(least, *(len(each) for each in rows))
    out = np.zeros((len(rows), length, *rows[0].shape[1:]), rows[0].dtype)
    for place, each in zip(out, rows, strict=True):
        place[: len(each)] = each
    return out
