"""Texts to labels: the encoder's vectors, then a classifier's head."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from serving.shops.labels.classifier import Classifier


class Vectors(Protocol):
    """Texts to unit vectors, as `ranking.texts.turns.TextTurns` gives them."""

    async def vectors(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, VECTOR_SIZE), zeros for what cannot be read; raises a RankingError."""
        ...


@dataclass(frozen=True, slots=True)
class Labelled:
    """probabilities float32 (n, labels); readable (n,): what is not has no label; unsure (n,)."""

    probabilities: FloatArray
    readable: npt.NDArray[np.bool_]
    unsure: npt.NDArray[np.bool_]

    def best(self, labels: Sequence[str]) -> list[str | None]:
        """The likeliest label of each text; None for one that cannot be read."""
        places = self.probabilities.argmax(axis=1).tolist()
        readable = self.readable.tolist()
        return [labels[at] if there else None for at, there in zip(places, readable, strict=True)]


async def labelled(
    turns: Vectors, classifier: Classifier, texts: Sequence[str], unsure_below: float | None = None
) -> Labelled:
    """Labels of `texts`; unsure_below: instead of the classifier's own. Raises a RankingError."""
    vectors = await turns.vectors(texts)
    readable = np.asarray(vectors.any(axis=1))
    probabilities = classifier.probabilities(vectors)
    least = classifier.unsure_below if unsure_below is None else unsure_below
    unsure = np.asarray(probabilities.max(axis=1) < least)
    return Labelled(probabilities, readable, ~readable | unsure)
