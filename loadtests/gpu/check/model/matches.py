"""`serving.models.runtime.scoring.text_features` for a whole batch of requests in PyTorch.

Nothing here is copied from the host or waits for it, so a CUDA graph can take it up.
"""

import torch
from torch import Tensor, nn

from serving.models.runtime.scoring import (
    LIKENESS,
    NO_HABIT_DAYS,
    RECENCY_DECAY,
    UNLIKENESS,
)

_BEST = 3
_NOTHING = -4.0  # below any cosine


def text_matches(
    items: Tensor,
    query: Tensor,
    has_query: Tensor,
    histories: tuple[Tensor, Tensor],
    bought: Tensor,
    counts: Tensor,
    purchases: Tensor,
) -> Tensor:
    """Float32 (k, n_items, len(TEXT_FEATURES)); NaN where there is nothing to compare.

    items (k, n_items, d), query (k, d), has_query bool (k,), histories of the user and of the
    session and bought (k, n, d), purchases (k, n_bought, 3): zero behind what a request has;
    counts int (k, 3): how many it has of user, session, bought. No n is below 3.
    """
    cosine = torch.einsum("knd,kd->kn", items, query)
    columns = [cosine.masked_fill(~has_query[:, None], torch.nan)[..., None]]
    for at, history in enumerate(histories):
        columns.append(_history_matches(items, history, counts[:, at]))
    columns.append(_purchase_matches(items, bought, counts[:, 2], purchases))
    has_text = items.any(dim=2, keepdim=True)
    return torch.cat(columns, 2).masked_fill(~has_text, torch.nan)


def _best(cosines: Tensor, there: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of each row, and the mean of the three largest or of as many as there are."""
    top = cosines.masked_fill(~there, _NOTHING).topk(_BEST, dim=2).values
    known = torch.arange(_BEST, device=top.device) < count[:, None]
    mean = top.masked_fill(~known[:, None], 0.0).sum(2) / count.clamp(1, _BEST)[:, None]
    return top[..., 0], mean


def _there(history: Tensor, count: Tensor) -> Tensor:
    return (torch.arange(history.shape[1], device=history.device) < count[:, None])[:, None]


def _history_matches(items: Tensor, history: Tensor, count: Tensor) -> Tensor:
    best, mean = _best(items @ history.transpose(1, 2), _there(history, count), count)
    weights = RECENCY_DECAY ** torch.arange(
        history.shape[1], dtype=history.dtype, device=history.device
    )
    profile = nn.functional.normalize(torch.einsum("n,knd->kd", weights, history), dim=1)
    like = torch.einsum("knd,kd->kn", items, profile)
    found = torch.stack([best, mean, like], 2)
    return found.masked_fill(count[:, None, None] == 0, torch.nan)


def _purchase_matches(items: Tensor, bought: Tensor, count: Tensor, purchases: Tensor) -> Tensor:
    times, first_days, last_days = purchases.unbind(2)
    cosines = items @ bought.transpose(1, 2)
    there = _there(bought, count)
    best, mean = _best(cosines, there, count)
    like = ((cosines - 1) / LIKENESS).exp()
    # What a request has not bought was bought zero times.
    parts = times / times.sum(1, keepdim=True).clamp_min(1e-9)
    share = (torch.einsum("knh,kh->kn", like, parts) + 1e-4).log()
    rates = times / (first_days + NO_HABIT_DAYS)
    rate = (torch.einsum("knh,kh->kn", like, rates) + 1e-4).log()
    past = last_days.log1p()[:, None] + UNLIKENESS * (1 - cosines)
    lately = past.masked_fill(~there, torch.inf).amin(2)
    found = torch.stack([best, mean, share, rate, lately], 2)
    return found.masked_fill(count[:, None, None] == 0, torch.nan)
