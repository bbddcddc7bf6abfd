"""A shop's classifiers: shared by replicas, versioned, of the encoder that is in use."""

import pytest

from serving.errors import ConflictError, InvalidRequestError, UnknownClassifierError
from serving.models.contract import EncoderProfile
from serving.models.tokenizer import Tokenizer
from serving.shops.labels.classifiers import AT_MOST, CLASSIFIERS, Classifiers
from tests.support.fakes import FakeControls
from tests.support.texts.labels import classifier


def replica(
    controls: FakeControls, profile: EncoderProfile = EncoderProfile.ENGLISH
) -> Classifiers:
    return Classifiers(controls, profile)


def test_what_one_replica_takes_others_serve(encoder: Tokenizer) -> None:
    controls = FakeControls()
    one, other = replica(controls), replica(controls)
    assert one.put("reviews", classifier(encoder)).version == 1
    assert other.of("reviews").version == 1
    assert one.put("reviews", classifier(encoder, unsure_below=0.7)).version == 2
    assert other.of("reviews").classifier.unsure_below == 0.7
    assert [served.name for served in other.all()] == ["reviews"]


def test_one_that_was_just_read_is_at_hand_and_a_moment_later_it_is_not(
    encoder: Tokenizer,
) -> None:
    now_s = [100.0]
    found = Classifiers(FakeControls(), EncoderProfile.ENGLISH, lambda: now_s[0])
    assert found.at_hand("reviews") is None
    found.put("reviews", classifier(encoder))
    assert found.at_hand("reviews") is not None
    now_s[0] += 5
    assert found.at_hand("reviews") is None


def test_one_that_nobody_put_is_unknown(encoder: Tokenizer) -> None:
    found = replica(FakeControls())
    with pytest.raises(UnknownClassifierError):
        found.of("reviews")
    found.put("reviews", classifier(encoder))
    found.delete("reviews")
    found.delete("reviews")
    with pytest.raises(UnknownClassifierError):
        found.of("reviews")


def test_one_of_another_encoder_is_neither_taken_nor_served(encoder: Tokenizer) -> None:
    controls = FakeControls()
    with pytest.raises(InvalidRequestError, match="profile: the encoder in use is the multi"):
        replica(controls, EncoderProfile.MULTILINGUAL).put("reviews", classifier(encoder))
    replica(controls).put("reviews", classifier(encoder))
    switched = replica(controls, EncoderProfile.MULTILINGUAL)
    with pytest.raises(UnknownClassifierError, match="trained for the english encoder"):
        switched.of("reviews")
    assert switched.at_hand("reviews") is None


def test_a_store_that_is_away_leaves_what_was_read(encoder: Tokenizer) -> None:
    controls = FakeControls()
    found = replica(controls)
    found.put("reviews", classifier(encoder))
    controls.error = OSError("away")
    assert found.of("reviews").version == 1
    with pytest.raises(OSError, match="away"):
        replica(controls).of("reviews")


def test_a_document_of_a_newer_release_is_left_alone(encoder: Tokenizer) -> None:
    controls = FakeControls()
    controls.put(CLASSIFIERS, "reviews", {"version": 1, "classifier": {"kind": "other"}})
    with pytest.raises(UnknownClassifierError):
        replica(controls).of("reviews")
    assert replica(controls).put("reviews", classifier(encoder)).version == 2


def test_a_shop_has_only_so_many(encoder: Tokenizer) -> None:
    found = replica(FakeControls())
    for number in range(AT_MOST):
        found.put(f"set-{number}", classifier(encoder))
    with pytest.raises(ConflictError):
        found.put("one-more", classifier(encoder))
    found.put("set-0", classifier(encoder))
