"""A classifier is a small document: what is not whole is refused, and chances are chances."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from serving.models.contract import VECTOR_SIZE
from serving.models.tokenizer import Tokenizer
from serving.shops.labels.classifier import Classifier, weights_of, weights_text
from serving.shops.labels.labelling import labelled
from tests.support.fakes import FakeEncoder
from tests.support.texts.labels import BAD, GOOD, classifier


class Turns:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self._encoder = FakeEncoder(tokenizer)

    async def vectors(self, texts: Any) -> Any:
        return await self._encoder.encode(texts, 1.0)


async def test_texts_get_the_label_that_they_are_like(encoder: Tokenizer) -> None:
    found = await labelled(Turns(encoder), classifier(encoder), [BAD, GOOD, f"{BAD} {BAD}"])
    assert found.best(["Negative", "Positive"]) == ["Negative", "Positive", "Negative"]
    assert found.probabilities.sum(axis=1) == pytest.approx(1)
    assert not found.unsure.any()


async def test_a_text_that_says_nothing_has_no_label(encoder: Tokenizer) -> None:
    found = await labelled(Turns(encoder), classifier(encoder), ["  ", GOOD])
    assert found.best(["Negative", "Positive"]) == [None, "Positive"]
    assert found.unsure.tolist() == [True, False]


async def test_what_no_label_is_likely_for_is_unsure(encoder: Tokenizer) -> None:
    made = classifier(encoder, unsure_below=0.9)
    found = await labelled(Turns(encoder), made, ["zebra qqq", BAD])
    assert found.unsure.tolist() == [True, False]
    assert not (await labelled(Turns(encoder), made, ["zebra qqq"], 0.0)).unsure.any()


def test_weights_come_back_as_they_were() -> None:
    weights = np.random.default_rng(0).normal(size=(VECTOR_SIZE + 1, 3)).astype(np.float32)
    assert np.array_equal(weights_of(weights_text(weights), 3), weights)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"labels": ["a", "a"]}, "one is there twice"),
        ({"labels": ["a"]}, "labels"),
        ({"labels": ["a", " "]}, "labels.1"),
        ({"labels": ["a", "b", "c"]}, "385 rows of 3 finite numbers"),
        ({"weights": "nothing!"}, "no float32 numbers in base64"),
        ({"weights": weights_text(np.full((VECTOR_SIZE + 1, 2), np.nan, np.float32))}, "finite"),
        ({"unsure_below": 1.5}, "unsure_below"),
        ({"profile": "klingon"}, "profile"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_not_whole_is_refused(
    encoder: Tokenizer, fields: dict[str, Any], told: str
) -> None:
    given = classifier(encoder).model_dump(mode="json")
    with pytest.raises(ValidationError, match=told):
        Classifier.model_validate({**given, **fields})
