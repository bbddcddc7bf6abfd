"""Slates of the validation period in the model server's own tensors, for the parity gate."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.catalog.item import content_key
from serving.models.contract import Array, RowArray, request_tensors
from serving.models.packing import pack
from serving.training.data.slates import Slates
from serving.training.fit.network import TextTower


def write_held_out(path: Path, slates: Slates, texts: list[str], tower: TextTower) -> None:
    """Write `slates` as a batch of contract.INPUTS by name, and LABELS float32 (R,).

    `texts`: item text by row.
    """
    item_keys = np.array([content_key(text) for text in texts], np.int64)
    item_tokens = _tokens(tower, texts)

    def texts_of(rows: RowArray) -> tuple[RowArray, npt.NDArray[np.int16]]:
        return item_keys[rows], item_tokens[rows]

    requests: list[dict[str, Array]] = []
    for index, query in enumerate(slates.queries):
        part = slice(slates.offsets[index], slates.offsets[index + 1])
        bought = slates.bought[index]
        requests.append(
            request_tensors(
                texts_of,
                _tokens(tower, [query]),
                _known(slates.user_history[index]),
                _known(slates.session_history[index]),
                _known(bought),
                slates.purchases[index][bought >= 0],
                slates.item_rows[part],
                slates.features[part],
            )
        )
    tensors: dict[str, Any] = {**pack(requests), "LABELS": slates.labels}
    np.savez_compressed(path, **tensors)


def _known(rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return rows[rows >= 0].astype(np.int64)


def _tokens(tower: TextTower, texts: list[str]) -> npt.NDArray[np.int16]:
    token_ids = [ids if text else [] for text, ids in zip(texts, tower.tokens(texts), strict=True)]
    out = np.zeros((len(texts), max((len(ids) for ids in token_ids), default=0) or 1), np.int16)
    for row, ids in enumerate(token_ids):
        out[row, : len(ids)] = ids
    return out
