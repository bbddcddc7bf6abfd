"""Worked examples of labels; see serving/http/schemas/examples.py."""

import numpy as np

from features.arrays import FloatArray
from serving.http.schemas.examples import Example
from serving.models.contract import VECTOR_SIZE
from serving.shops.labels.classifier import weights_text

_MEASURED = {
    "accuracy": 0.86, "low": 0.8, "high": 0.91, "majority": 0.5, "texts": 160,
    "calibration_error": 0.04,
}  # fmt: skip
_LABELS = ["Negative", "Positive"]


def _weights() -> FloatArray:
    return np.zeros((VECTOR_SIZE + 1, len(_LABELS)), np.float32)


CLASSIFIER = {
    "labels": _LABELS, "profile": "english", "unsure_below": 0.6,
    "weights": weights_text(_weights()),
    "measured": _MEASURED, "learnt_from": 160, "trained_at": "2026-11-30T09:00:00Z",
}  # fmt: skip
_SHOWN = {name: value for name, value in CLASSIFIER.items() if name != "weights"}
_IN_USE = {"name": "reviews", "version": 1, **_SHOWN}

EXAMPLES: dict[str, Example] = {
    "classify": Example(
        body={
            "classifier": "reviews", "texts": ["arrived broken", "works as told"],
            "unsure_below": 0.5,
        },
        answer={
            "classifier": "reviews", "version": 1,
            "labels": [
                {"label": "Negative", "unsure": False,
                 "probabilities": {"Negative": 0.93, "Positive": 0.07}},
                {"label": "Positive", "unsure": False,
                 "probabilities": {"Negative": 0.12, "Positive": 0.88}},
            ],
        },
    ),
    "post_texts": Example(
        body={
            "classifier": "reviews",
            "texts": [
                {"text": "arrived broken", "at": "2026-09-21T14:11:20Z"}, {"text": "works as told"},
            ],
        },
        answer={
            "classifier": "reviews", "version": 1, "counted": 2,
            "labels": {"Negative": 1, "Positive": 1}, "unsure": 0,
        },
    ),
    "list_classifiers": Example(answer={"classifiers": [_IN_USE]}),
    "get_classifier": Example(
        parameters={"name": "reviews"}, answer={**_IN_USE, "weights": CLASSIFIER["weights"]}
    ),
    "put_classifier": Example(parameters={"name": "reviews"}, body=CLASSIFIER, answer=_IN_USE),
    "delete_classifier": Example(parameters={"name": "reviews"}),
    "list_alerts": Example(
        answer={
            "false_alarms_a_month": 1.0,
            "alerts": [
                {
                    "key": "complaints", "classifier": "reviews", "label": "Negative",
                    "window": "day", "rise": 0.2, "state": "firing",
                    "since": "2026-09-21T00:05:10+00:00",
                    "judged": {
                        "begins_at": "2026-09-20T00:00:00+00:00", "hours": 24, "count": 171,
                        "expected": 104.2, "chance": 0.00004,
                    },
                    "learnt": 1.0, "found_from": 0.36, "enough": True, "waiting": 0,
                    "delivery": {
                        "id": "2f0c6a7e5a0b4a3c9d1e8f7a6b5c4d3e", "outcome": "delivered",
                        "tries": 1, "error": None, "at": "2026-09-21T00:05:10+00:00",
                    },
                }
            ],
        },
    ),
}  # fmt: skip
