"""How sure a shop is that an answer is the one that a question wants.

A logistic model of few inputs over what encoder and words say, then a calibration of the first
answer's score and of its margin to the next. From the start there is an untrained one for each
encoder; one that was trained on pairs or on feedback (serving/training/fit/answers) takes its
place. Their documents are kept by version, beside the answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from features.arrays import DoubleArray, FloatArray

INPUTS = (
    "cosine",  # of question and piece by the general encoder
    "words",  # BM25 of the piece, as a share of what one with all the question's words has
    "alike",  # cosine of question and piece by the rarity of their words
)
OF_VECTOR = ("cosine",)
UNTRAINED = "untrained"  # the version that is there from the start
LEAST = 0.5  # confidence that the untrained model needs to answer
_MARGIN = 6.0  # in logits: an answer that stands alone has no better margin than this
# By hand, near what the project's own judged texts (tests/data/rerank) ask for: docs/adr/0046.
_FROM_THE_START: dict[str, dict[str, dict[str, float]]] = {
    "english": {
        "with_vector": {"cosine": 7.0, "alike": 1.0, "bias": -3.9},
        "words_only": {"words": 1.0, "alike": 5.0, "bias": -2.0},
    },
    "multilingual": {
        "with_vector": {"cosine": 8.0, "alike": 1.0, "bias": -5.2},
        "words_only": {"words": 1.0, "alike": 5.0, "bias": -2.0},
    },
}


@dataclass(frozen=True, slots=True)
class AnswerModel:
    """with_vector, words_only: weights of INPUTS, the bias last, (len(INPUTS) + 1,);
    calibration: of an answer's score, of its margin to the best other one, and the bias, with a
    vector and without, (2, 3); least: the confidence from which on a question is answered
    """

    version: str
    with_vector: FloatArray
    words_only: FloatArray
    calibration: FloatArray
    least: float

    @classmethod
    def untrained(cls, profile: str = "english") -> Self:
        """What is there from the start, for an encoder of this profile."""
        weights = {part: _weights(given) for part, given in _FROM_THE_START[profile].items()}
        calibration = np.array([[1.0, 0.0, 0.0]] * 2, np.float32)
        return cls(UNTRAINED, **weights, calibration=calibration, least=LEAST)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError for what is no document of a model."""
        return cls(
            str(document["version"]),
            _weights(document["with_vector"]),
            _weights(document["words_only"]),
            np.array(document["calibration"], np.float32).reshape(2, 3),
            float(document["least"]),
        )

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it, without what the training says of it."""
        return {
            "version": self.version,
            "with_vector": dict(zip((*INPUTS, "bias"), self.with_vector.tolist(), strict=True)),
            "words_only": dict(zip((*INPUTS, "bias"), self.words_only.tolist(), strict=True)),
            "calibration": self.calibration.tolist(),
            "least": self.least,
        }

    def scores(self, inputs: FloatArray, has_vector: bool) -> FloatArray:
        """Logits of pieces, (n,). inputs: (n, len(INPUTS))."""
        weights = self.with_vector if has_vector else self.words_only
        logits: FloatArray = inputs @ weights[:-1] + weights[-1]
        return logits

    def margin(self, difference: DoubleArray) -> DoubleArray:
        """How far scores are before others, as calibration reads it; infinite: there are none."""
        return np.clip(difference, -_MARGIN, _MARGIN)

    def confidence(self, scores: DoubleArray, has_vector: bool) -> DoubleArray:
        """How likely each answer is the one, (n,), given the best score of each."""
        if not len(scores):
            return scores
        best = np.sort(scores)[::-1]
        runner_up = best[1] if len(best) > 1 else -np.inf
        others = np.where(scores < best[0], best[0], runner_up)
        of_score, of_margin, bias = self.calibration[0 if has_vector else 1].astype(np.float64)
        logits = of_score * scores + of_margin * self.margin(scores - others) + bias
        sure: DoubleArray = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        return sure


def _weights(by_name: Mapping[str, float]) -> FloatArray:
    unknown = by_name.keys() - {*INPUTS, "bias"}
    if unknown:
        raise ValueError(f"weights of {sorted(unknown)}")
    return np.array([float(by_name.get(name, 0.0)) for name in (*INPUTS, "bias")], np.float32)
