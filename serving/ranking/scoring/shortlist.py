"""When time is short the model scores only the best by rules (docs/adr/0016)."""

from dataclasses import replace

import numpy as np

from features.arrays import FloatArray, RowArray
from serving.types import Scores


def with_rest(scores: Scores, best: RowArray, by_rules: FloatArray) -> Scores:
    """`scores` of the candidates `best`, and behind them the others as `by_rules` (n,) has them.

    The others' scores spread as the model's do, below its lowest; they have no parts.
    """
    rest = np.ones(len(by_rules), bool)
    rest[best] = False
    spread = scores.values.std() / (by_rules.std() + 1e-9)
    behind = (by_rules[rest] - by_rules[rest].max()) * spread - 1e-3
    values = np.empty(len(by_rules), np.float32)
    values[best], values[rest] = scores.values, scores.values.min() + behind
    parts = np.full((len(by_rules), scores.parts.shape[1]), np.nan, np.float32)
    parts[best] = scores.parts
    return replace(scores, values=values, parts=parts)
