"""Slates of the validation period in the model server's own tensors, for the parity gate."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.catalog.item import content_key
from serving.training.data.slates import Slates
from serving.training.fit.network import TextTower


def write_held_out(path: Path, slates: Slates, texts: list[str], tower: TextTower) -> None:
    """Write `slates` as the ranker's input tensors by name, and LABELS float32 (R,).

    `texts`: item text by row. Tokens are int16, 0 = padding; a history lists the user's items, the
    session's, then those that the user bought.
    """
    keys = np.array([content_key(text) for text in texts], np.int64)
    parts = zip(slates.user_history, slates.session_history, slates.bought, strict=True)
    histories = [tuple(_known(part) for part in three) for three in parts]
    history = np.concatenate([np.concatenate(three) for three in histories])
    np.savez_compressed(
        path,
        QUERY_TOKENS=_tokens(tower, list(slates.queries)),
        USER_HISTORY_COUNTS=np.array([len(user) for user, _, _ in histories], np.int32),
        SESSION_HISTORY_COUNTS=np.array([len(session) for _, session, _ in histories], np.int32),
        BOUGHT_COUNTS=np.array([len(bought) for _, _, bought in histories], np.int32),
        PURCHASES=slates.purchases[slates.bought >= 0],
        HISTORY_KEYS=keys[history],
        HISTORY_TOKENS=_tokens(tower, [texts[row] for row in history.tolist()]),
        ROW_COUNTS=np.diff(slates.offsets).astype(np.int32),
        ITEM_KEYS=keys[slates.item_rows],
        ITEM_TOKENS=_tokens(tower, [texts[row] for row in slates.item_rows.tolist()]),
        FEATURES=slates.features,
        LABELS=slates.labels,
    )


def _known(rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return rows[rows >= 0].astype(np.int64)


def _tokens(tower: TextTower, texts: list[str]) -> npt.NDArray[np.int16]:
    found = [ids if text else [] for text, ids in zip(texts, tower.tokens(texts), strict=True)]
    out = np.zeros((len(found), max((len(ids) for ids in found), default=0) or 1), np.int16)
    for row, ids in enumerate(found):
        out[row, : len(ids)] = ids
    return out
