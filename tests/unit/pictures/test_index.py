"""Items by how their pictures look, and which of them show the same."""

import numpy as np
import pytest

from features.arrays import FloatArray
from serving.models.contract import PICTURE_SHAPES, PICTURE_VECTOR_SIZE
from serving.search.pictures.index import LEAST, PictureIndex, likeness, together


def unit(*values: float) -> FloatArray:
    out = np.zeros(PICTURE_VECTOR_SIZE, np.float32)
    out[: len(values)] = values
    return out / np.float32(np.linalg.norm(out))


RED, REDDISH, BLUE = unit(1), unit(1, 0.2), unit(0, 0, 1)


@pytest.fixture
def index() -> PictureIndex:
    made = PictureIndex()
    made.update(np.array([0, 1, 2]), np.stack([RED, BLUE, REDDISH]))
    return made


def test_what_looks_alike_comes_best_first_and_nothing_unlike(index: PictureIndex) -> None:
    rows, alike = index.like(RED, np.ones(4, bool), 10)
    assert rows.tolist() == [0, 2]
    assert alike[0] > alike[1] > LEAST
    rows, _ = index.like(RED, np.array([False, True, True, True]), 10)
    assert rows.tolist() == [2]
    assert index.like(RED, np.ones(4, bool), 1)[0].tolist() == [0]


def test_what_shows_the_same_is_alike_in_any_colour_and_the_same_colour_is_nearest() -> None:
    made = PictureIndex()
    rose, red_rose, red_cup = (coloured(shape, shade) for shape, shade in ((0, 0), (0, 1), (1, 1)))
    made.update(np.arange(3), np.stack([rose, red_rose, red_cup]))
    rows, alike = made.like(coloured(0, 1), np.ones(3, bool), 3)
    assert rows.tolist() == [1, 0]  # a cup is no rose, though as red
    assert alike[0] > 0.99 > alike[1] > 0.9


def coloured(shape: int, shade: int) -> FloatArray:
    out = np.zeros(PICTURE_VECTOR_SIZE, np.float32)
    out[shape], out[PICTURE_SHAPES + shade] = 1, 0.65
    return out / np.linalg.norm(out)


def test_a_vector_of_zeros_leaves_the_index(index: PictureIndex) -> None:
    index.update(np.array([0]), np.zeros((1, PICTURE_VECTOR_SIZE), np.float32))
    assert index.like(RED, np.ones(3, bool), 10)[0].tolist() == [2]
    assert index.middle(np.array([0]), np.ones(1)) is None


def test_the_same_picture_is_told_by_the_first_that_shows_it(index: PictureIndex) -> None:
    # Row 3 has no picture, -1 is not in the catalogue.
    assert index.same(np.array([3, 2, 1, 0, -1])).tolist() == [0, 1, 2, 1, 4]
    assert index.same(np.zeros(0, np.int64)).tolist() == []


def test_a_chain_of_small_steps_is_not_one_picture() -> None:
    angles = np.deg2rad([0, 20, 40])  # neighbours are the same, the ends are not
    made = PictureIndex()
    made.update(np.arange(3), np.stack([unit(np.cos(a), np.sin(a)) for a in angles]))
    assert made.same(np.arange(3)).tolist() == [0, 0, 2]


def test_the_middle_of_several_lies_nearer_to_what_weighs_more(index: PictureIndex) -> None:
    middle = index.middle(np.array([0, 1, 3]), np.array([3.0, 1.0, 9.0]))
    assert middle is not None
    assert middle @ RED > middle @ BLUE > 0


def test_likeness_and_relevance_meet_halfway() -> None:
    alike = likeness(np.array([1.0, 0.70, 0.0], np.float32))
    assert alike[0] > 0.99
    assert alike[1] == pytest.approx(0.5)
    assert alike[2] < 0.001
    both = together(np.array([0.9, 0.9, 0.1], np.float32), np.array([0.9, 0.1, 0.1], np.float32))
    assert both.tolist() == pytest.approx([0.9, 0.5, 0.1], abs=1e-3)
