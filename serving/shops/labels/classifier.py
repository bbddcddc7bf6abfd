"""A classifier: labels for texts, as a linear head on the general encoder's vectors.

It is one small document, which `make train-classify` writes and `PUT /v1/classifiers/{name}` takes.
"""

import base64
import binascii
from typing import Annotated, Self

import numpy as np
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from features.arrays import FloatArray
from serving.models.contract import VECTOR_SIZE, EncoderProfile

NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
MAX_LABELS = 32
Name = Annotated[str, StringConstraints(pattern=NAME)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measured(_Part):
    """How good it is, on texts that it did not learn from."""

    accuracy: Share = Field(description="Share of the held-out texts with the right label.")
    low: Share = Field(description="Of its interval (95 %).")
    high: Share
    majority: Share = Field(description="The same of always the most frequent label.")
    texts: int = Field(ge=1, description="Held-out texts.")
    calibration_error: Share = Field(
        description="Mean distance of probabilities from the share that is right (ten groups)."
    )


class Classifier(_Part):
    """What is learnt of one set of labels; weights float32 (VECTOR_SIZE + 1, labels), the last row
    the bias, little-endian in base64."""

    labels: Annotated[list[Label], Field(min_length=2, max_length=MAX_LABELS)]
    profile: EncoderProfile = Field(description="Of the encoder whose vectors it reads.")
    unsure_below: Share = Field(
        0.6, description="A text whose best label is less likely than this is `unsure`."
    )
    weights: str = Field(max_length=MAX_LABELS * (VECTOR_SIZE + 1) * 6)
    measured: Measured
    learnt_from: int = Field(ge=1, description="Labelled texts.")
    trained_at: AwareDatetime

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: one is there twice")
        weights_of(self.weights, len(self.labels))
        return self

    def probabilities(self, vectors: FloatArray) -> FloatArray:
        """float32 (n, labels) of unit vectors (n, VECTOR_SIZE), each row a sum of 1."""
        weights = weights_of(self.weights, len(self.labels))
        logits = vectors @ weights[:-1] + weights[-1]
        logits -= logits.max(axis=1, keepdims=True)
        chances: FloatArray = np.exp(logits)
        chances /= chances.sum(axis=1, keepdims=True)
        return chances


def weights_text(weights: FloatArray) -> str:
    """Weights (VECTOR_SIZE + 1, labels) as a Classifier has them."""
    return base64.b64encode(weights.astype("<f4").tobytes()).decode()


def weights_of(text: str, n_labels: int) -> FloatArray:
    """What `weights_text` wrote; raises ValueError."""
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    except (binascii.Error, ValueError):
        raise ValueError("weights: no float32 numbers in base64") from None
    if len(values) != (VECTOR_SIZE + 1) * n_labels or not np.isfinite(values).all():
        raise ValueError(f"weights: {VECTOR_SIZE + 1} rows of {n_labels} finite numbers are wanted")
    return values.reshape(-1, n_labels).astype(np.float32)
