"""Words find pictures by what a shop's own items have taught, and only where that was proven."""

from dataclasses import replace

import numpy as np
import pytest

from features.arrays import DoubleArray, FloatArray
from serving.models.contract import PICTURE_VECTOR_SIZE, VECTOR_SIZE
from serving.search.pictures.index import PictureIndex
from serving.search.pictures.joint import JointSpace
from serving.training.fit.kept.material import MaterialError
from serving.training.fit.pictures.fitting import HeldOut, Pairs, cross_validated, curve_of, fit
from serving.training.fit.pictures.gate import check_enough, judged

N_TITLES, EACH = 240, 2


def unit(vectors: DoubleArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: FloatArray = (vectors / lengths).astype(np.float32)
    return found


def drawn(related: bool, seed: int = 0) -> Pairs:
    """Items whose looks follow from their titles' meaning by a fixed map, or by nothing."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(N_TITLES, 12))
    looks = meaning if related else rng.normal(size=meaning.shape)
    to_text = rng.normal(size=(12, VECTOR_SIZE))
    to_looks = rng.normal(size=(12, PICTURE_VECTOR_SIZE))
    titles = np.repeat(np.arange(N_TITLES), EACH)
    texts = unit(meaning @ to_text)[titles]
    pictures = (looks @ to_looks)[titles]
    pictures += 6 * rng.normal(size=pictures.shape)
    return Pairs(texts, unit(pictures), titles)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return drawn(related=True)


@pytest.fixture(scope="module")
def held_out(pairs: Pairs) -> HeldOut:
    return cross_validated(pairs, "english", 1)


@pytest.fixture(scope="module")
def space(pairs: Pairs, held_out: HeldOut) -> JointSpace:
    return fit(pairs, "english", curve_of(held_out))


def test_titles_that_were_not_learnt_find_their_pictures(pairs: Pairs, held_out: HeldOut) -> None:
    judgement = judged(pairs, held_out)
    assert judgement.problem is None
    assert judgement.recall[0] > 10 * judgement.chance


def test_the_gate_is_shut_where_words_say_nothing_of_looks() -> None:
    unrelated = drawn(related=False)
    judgement = judged(unrelated, cross_validated(unrelated, "english", 1))
    assert judgement.problem is not None
    assert "recall@10" in judgement.problem


def test_too_few_titles_are_refused(pairs: Pairs) -> None:
    check_enough(pairs)
    with pytest.raises(MaterialError, match="150 different titles"):
        check_enough(pairs.part(pairs.titles < 150))


def test_what_is_said_to_be_likely_is_as_often_right(held_out: HeldOut) -> None:
    slope, bias = curve_of(held_out)
    likely = 1 / (1 + np.exp(-(slope * held_out.cosines + bias)))
    assert likely.sum() == pytest.approx(held_out.right.sum(), rel=0.05)
    assert likely[held_out.right].mean() > 5 * likely[~held_out.right].mean()


def test_a_space_is_kept_as_a_document_and_read_again(space: JointSpace, pairs: Pairs) -> None:
    again = JointSpace.of(space.document)
    likes = [s.of_texts(pairs.texts) @ s.of_pictures(pairs.pictures).T for s in (space, again)]
    np.testing.assert_allclose(likes[0], likes[1], atol=0.02)
    assert (again.curve, again.profile, again.size) == (space.curve, "english", space.size)


@pytest.mark.parametrize(
    "change",
    [
        {"picture_encoder": "another"}, {"numbers": "AAAA"}, {"size": 3}, {"curve": [1]},
        {"numbers": "no base64"},
    ],
)  # fmt: skip
def test_a_document_that_is_none_is_refused(space: JointSpace, change: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        JointSpace.of({**space.document, **change})


def test_words_find_pictures_that_came_before_and_after_the_space(
    space: JointSpace, pairs: Pairs
) -> None:
    index = PictureIndex()
    index.update(np.array([0, 2]), pairs.pictures[[0, 2]])
    assert index.shown_for(pairs.texts[0], 5).tolist() == []
    assert not index.likely_for(pairs.texts[0], np.array([0])).any()
    index.take_joint(space)
    index.update(np.array([4]), pairs.pictures[[4]])
    for row in (0, 2, 4):
        assert index.shown_for(pairs.texts[row], 1).tolist() == [row]
        likely = index.likely_for(pairs.texts[row], np.array([0, 2, 4, 7]))
        assert likely.argmax() == [0, 2, 4].index(row)
        assert likely[3] == 0
    index.update(np.array([0]), np.zeros((1, PICTURE_VECTOR_SIZE), np.float32))
    assert 0 not in index.shown_for(pairs.texts[0], 5)
    index.take_joint(None)
    assert index.shown_for(pairs.texts[0], 5).tolist() == []


def test_a_curve_is_between_nothing_and_everything(space: JointSpace) -> None:
    likely = replace(space, curve=(20.0, -10.0)).likely(np.array([-1.0, 0.5, 1.0], np.float32))
    assert likely.tolist() == pytest.approx([0, 0.5, 1], abs=1e-4)
