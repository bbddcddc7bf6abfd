"""The relevance model: weights by name, and what it makes of columns."""

import numpy as np
import pytest

from serving.models.contract import EncoderProfile
from serving.search.relevance import COLUMN, COLUMNS, RelevanceModel, RelevanceModels
from serving.search.text_relevance import TextRelevance

WEIGHTS = {"cosine": 4.0, "name": 2.0, "bias": -3.0}


@pytest.mark.parametrize("profile", list(EncoderProfile))
def test_each_encoder_has_weights_under_which_more_is_more(profile: EncoderProfile) -> None:
    models = RelevanceModels.of_profile(profile)
    little, much = np.zeros((2, 1, len(COLUMNS)), np.float32)
    for name in ("title", "name", "any_field", "all_words", "exact_title", "title_share"):
        much[:, COLUMN[name]] = 1.0
    much[:, COLUMN["cosine"]], little[:, COLUMN["cosine"]] = 0.9, 0.05
    little[:, COLUMN["below_best"]] = -0.5
    for model in (models.items, models.texts):
        for has_vector in (True, False):
            seen = np.array([has_vector])
            assert model.probability(little, seen)[0] < 0.3
            assert model.probability(much, seen)[0] > 0.6


def test_weights_are_read_by_name_and_missing_ones_are_none() -> None:
    model = RelevanceModel.of({"with_vector": WEIGHTS, "words_only": {"bias": 0.0}})
    columns = np.zeros((2, len(COLUMNS)), np.float32)
    columns[0, [COLUMN["cosine"], COLUMN["name"]]] = 0.5, 1.0
    values = model.probability(columns, np.array([True, True]))
    assert values == pytest.approx([1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(3.0))])
    assert model.probability(columns, np.array([False, False])) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("given", [{"cosine": 1.0}, {"colour": 1.0, "bias": 0.0}])
def test_weights_of_other_inputs_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="with_vector"):
        RelevanceModel.of({"with_vector": given, "words_only": given})


def test_texts_share_words_by_their_length_and_function_words_say_nothing() -> None:
    texts = ["the reset of a router", "the cat", "Reset the router"]
    columns = TextRelevance().columns("reset the router", texts, np.zeros(3, np.float32))
    assert columns[:, COLUMN["name"]].tolist() == [1.0, 0.0, 1.0]
    assert columns[:, COLUMN["exact_title"]].tolist() == [1.0, 0.0, 1.0]


def test_an_empty_text_answers_nothing() -> None:
    model = RelevanceModels.of_profile("english").texts
    values = TextRelevance().probability(model, "milk", ["", "  "], np.full(2, np.nan, np.float32))
    assert values.tolist() == [0.0, 0.0]


def test_a_text_that_has_what_the_query_does_not_want_is_less_likely() -> None:
    texts = ["chicken cat treats", "salmon cat treats", "cat treats without chicken"]
    cosines = np.array([0.8, 0.7, 0.9], np.float32)
    judge, model = TextRelevance(), RelevanceModels.of_profile(EncoderProfile.ENGLISH).texts
    without = judge.probability(model, "cat treats without chicken", texts, cosines)
    assert np.argsort(-without).tolist() == [2, 1, 0]
    columns = judge.columns("chicken cat treats", texts, cosines)
    as_fitted = model.probability(columns, np.ones(3, bool))
    assert (
        judge.probability(model, "chicken cat treats", texts, cosines).tolist()
        == as_fitted.tolist()
    )
