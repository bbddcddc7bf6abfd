"""A slate that keeps the rules as it stands is the one that the walk finds, place by place."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.ranking.slate.bounds import Bounds
from serving.ranking.slate.moves import FREE
from serving.ranking.slate.places import Frame, Places, best
from serving.shops.rules import Diversity


def walked(frame: Frame) -> list[int]:
    """The best item that may stand there at each place, one after the other."""
    places, left, found = Places(frame), frame.ranked.copy(), []
    while left and places.next < frame.diversity.depth:
        found.append(places.allowed(left)[0])
        left.remove(found[-1])
        places.put(found[-1])
    return found + left


@given(
    kinds=st.lists(st.integers(-1, 2), min_size=1, max_size=30),
    max_same=st.integers(1, 3),
    window=st.integers(2, 5),
    depth=st.integers(0, 30),
    pins=st.booleans(),
    asked=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_best_slate_is_the_one_of_the_walk(
    kinds: list[int],
    max_same: int,
    window: int,
    depth: int,
    pins: bool,
    asked: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    ranked = rng.permutation(len(kinds))
    layout = np.full(len(kinds), FREE)
    if pins:
        layout[rng.integers(len(kinds))], ranked = ranked[0], ranked[1:]
    relevance = rng.random(len(kinds)).astype(np.float32)
    relevance[ranked] = -np.sort(-relevance[ranked])  # what is more relevant leads
    bounds = Bounds(relevance if asked else None, 0.1)
    rule = Diversity(max_same=max_same, window=window, depth=depth)
    frame = Frame.of(layout, np.array(kinds, np.int32), rule, ranked, bounds)
    assert best(frame).tolist() == walked(frame)
