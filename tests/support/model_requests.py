"""What the model is asked in tests of the real server: requests of the tiny bundle's shapes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from features.catalog.item import content_key
from serving.training.publish.base_model import base_folder
from serving.training.publish.texts import random_texts, tokenize
from tests.support.tiny_bundle import FEATURES, MAX_TOKENS

BUDGET_S = 30.0
ITEMS = [f"{color} {thing}" for color in ("red", "blue", "green") for thing in ("mug", "lamp")]


def tokens_of(*texts: str) -> npt.NDArray[np.int16]:
    return tokenize(base_folder() / "tokenizer.json", texts, MAX_TOKENS)


def table(texts: list[npt.NDArray[np.int32]]) -> npt.NDArray[np.int16]:
    tokens = np.zeros((len(texts), MAX_TOKENS), np.int16)
    for row, text in zip(tokens, texts, strict=True):
        row[: min(len(text), MAX_TOKENS)] = text[:MAX_TOKENS]
    return tokens


def batch(
    counts: tuple[int, ...] = (6,), query: str = "a red mug", seed: int = 0
) -> dict[str, Any]:
    """A request for each of `counts`, with so many candidates and five history items."""
    n, n_history = sum(counts), 5 * len(counts)
    items = [ITEMS[i % 6] for i in range(n)]
    history = [ITEMS[i % 6] for i in range(n_history)]
    features = np.random.default_rng(seed).normal(size=(n, len(FEATURES))).astype(np.float32)
    return {
        "QUERY_TOKENS": tokens_of(*[query] * len(counts)),
        "USER_HISTORY_COUNTS": np.full(len(counts), 2, np.int32),
        "SESSION_HISTORY_COUNTS": np.full(len(counts), 1, np.int32),
        "BOUGHT_COUNTS": np.full(len(counts), 2, np.int32),
        "PURCHASES": np.tile(np.array([[2, 30, 9], [1, 4, 4]], np.float32), (len(counts), 1)),
        "HISTORY_KEYS": np.array([content_key(text) for text in history], np.int64),
        "HISTORY_TOKENS": tokens_of(*history),
        "ROW_COUNTS": np.array(counts, np.int32),
        "ITEM_KEYS": np.array([content_key(text) for text in items], np.int64),
        "ITEM_TOKENS": tokens_of(*items),
        "FEATURES": features,
        "EXPLAINED": np.zeros(len(counts), np.int32),
    }


def new_texts(n: int, seed: int) -> dict[str, Any]:
    """A request whose `n` candidates have texts that nobody has seen."""
    tokens = table(random_texts(n, seed))
    keys = np.random.default_rng(seed).integers(1, 2**62, n)
    features = np.zeros((n, len(FEATURES)), np.float32)
    counts = np.array([n], np.int32)
    return {
        **batch((0,)),
        "ROW_COUNTS": counts,
        "ITEM_KEYS": keys,
        "ITEM_TOKENS": tokens,
        "FEATURES": features,
    }
