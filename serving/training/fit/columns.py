"""The columns that head and forest score: behaviour features, then text matches."""

from collections.abc import Mapping

import numpy as np

from features.arrays import FloatArray
from serving.models.runtime.scoring import TEXT_FEATURES, text_features
from serving.training.data.slates import Slates
from serving.training.fit.network import TextTower


def text_vectors(
    tower: TextTower, texts: list[str], slates: Slates
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Vectors of all item `texts` by row, and of the slates' queries by text."""
    queries = distinct_queries(slates)
    return split_vectors(tower.encode([*texts, *queries]), queries)


def distinct_queries(slates: Slates) -> list[str]:
    """The queries of `slates`, sorted; no query is none of them."""
    return sorted({query for query in slates.queries if query})


def split_vectors(
    vectors: FloatArray, queries: list[str]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """The rows of the items, and those of the `queries` behind them by text."""
    n_items = len(vectors) - len(queries)
    return vectors[:n_items], dict(zip(queries, vectors[n_items:], strict=True))


def text_columns(
    slates: Slates, item_vectors: FloatArray, query_vectors: Mapping[str, FloatArray]
) -> FloatArray:
    """Text features of all candidates, float32 (R, len(TEXT_FEATURES)).

    item_vectors: float32 (n_items, d) by row; query_vectors: by text, each (d,).
    """
    out = np.empty((len(slates.item_rows), len(TEXT_FEATURES)), np.float32)
    for index, query in enumerate(slates.queries):
        part = slates.part(index)
        user, session = slates.user_history[index], slates.session_history[index]
        bought = slates.bought[index][slates.bought[index] >= 0]
        out[part] = text_features(
            item_vectors[slates.item_rows[part]],
            query_vectors[query] if query else None,
            item_vectors[user[user >= 0]],
            item_vectors[session[session >= 0]],
            item_vectors[bought],
            slates.purchases[index][: len(bought)],
        )
    return out


def columns(
    slates: Slates, item_vectors: FloatArray, query_vectors: Mapping[str, FloatArray]
) -> FloatArray:
    """The input of head and forest, float32 (R, F + T)."""
    return np.concatenate(
        [slates.features, text_columns(slates, item_vectors, query_vectors)], axis=1
    )
