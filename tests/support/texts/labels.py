"""A classifier of two labels that knows one text of each."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from serving.models.contract import VECTOR_SIZE, EncoderProfile
from serving.models.tokenizer import Tokenizer
from serving.shops.labels.classifier import Classifier, Measured, weights_text
from tests.support.fakes import token_vectors

BAD, GOOD = "broken", "works"
MEASURED = Measured(
    accuracy=0.9, low=0.85, high=0.94, majority=0.5, texts=160, calibration_error=0.03
)


def classifier(tokenizer: Tokenizer, **fields: Any) -> Classifier:
    """Negative is what is like BAD, Positive what is like GOOD."""
    weights = np.zeros((VECTOR_SIZE + 1, 2), np.float32)
    weights[:-1] = 8 * token_vectors(tokenizer.tokens([BAD, GOOD], 32)).T
    given: dict[str, Any] = {
        "labels": ["Negative", "Positive"],
        "profile": EncoderProfile.ENGLISH,
        "weights": weights_text(weights),
        "measured": MEASURED,
        "learnt_from": 160,
        "trained_at": datetime(2026, 9, 21, tzinfo=UTC),
    }
    return Classifier.model_validate({**given, **fields})
