"""Requests to the ranker of a tiny bundle, as the model server's tensors."""

from typing import Any

import numpy as np
import numpy.typing as npt

from features.catalog.item import content_key
from serving.training.publish.base_model import base_folder
from serving.training.publish.texts import tokenize
from tests.support.tiny_bundle import FEATURES, MAX_TOKENS

Batch = dict[str, Any]  # arrays by tensor name

ITEMS = [f"{color} {thing}" for color in ("red", "blue", "green") for thing in ("mug", "lamp")]
QUERY = "a red mug"


def tokens_of(*texts: str) -> npt.NDArray[np.int16]:
    return tokenize(base_folder() / "tokenizer.json", texts, MAX_TOKENS)


def slate(
    query: str = QUERY,
    user: int = 2,
    session: int = 1,
    rows: int = 6,
    seed: int = 0,
    bought: int = 2,
) -> Batch:
    """One request; histories and candidates are taken from ITEMS in turn."""
    history = [ITEMS[i % 6] for i in range(user + session + bought)]
    items = [ITEMS[i % 6] for i in range(rows)]
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    features[rng.random(features.shape) < 0.2] = np.nan
    return {
        "QUERY_TOKENS": tokens_of(query),
        "USER_HISTORY_COUNTS": np.array([user], np.int32),
        "SESSION_HISTORY_COUNTS": np.array([session], np.int32),
        "BOUGHT_COUNTS": np.array([bought], np.int32),
        "PURCHASES": rng.uniform(1, 9, (bought, 3)).astype(np.float32),
        "HISTORY_KEYS": np.array([content_key(text) for text in history], np.int64),
        "HISTORY_TOKENS": tokens_of(*history),
        "ROW_COUNTS": np.array([rows], np.int32),
        "ITEM_KEYS": np.array([content_key(text) for text in items], np.int64),
        "ITEM_TOKENS": tokens_of(*items),
        "FEATURES": features,
    }


def joined(*batches: Batch) -> Batch:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
