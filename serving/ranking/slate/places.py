"""A slate is filled from the top, place by place: which of the items left may stand at the next.

One walk for all policies (the best item, a draw, two teams in turn), so that they keep the same
rules: a pin's place is the pin's, diversity counts what really stands before, and relevance bounds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.ranking.slate.bounds import Bounds
from serving.ranking.slate.moves import FREE, Order
from serving.shops.rules import Diversity


@dataclass(frozen=True, slots=True)
class Frame:
    """What holds for every slate of one request, however its places are filled.

    layout: the pinned items, FREE elsewhere; empty where none is pinned; kinds: what diversity
    compares, -1 is like nothing else; ranked: the items to be placed, best first, without pinned
    and buried ones; falling: the same, most relevant first
    """

    layout: list[int]
    kinds: list[int]
    diversity: Diversity
    ranked: list[int]
    relevance: list[float]
    falling: list[int]
    reach: float

    @staticmethod
    def of(
        layout: Order,
        kinds: npt.NDArray[np.int32],
        diversity: Diversity,
        ranked: Order,
        bounds: Bounds,
    ) -> "Frame":
        """Of one request; all arrays are (n,) over candidates but `ranked`."""
        relevance, reach, falling = bounds.relevance, bounds.reach, ranked
        if relevance is None:  # nothing was asked: nothing bounds
            relevance, reach = np.zeros(len(kinds), np.float32), np.inf
        else:
            falling = ranked[np.argsort(-relevance[ranked], kind="stable")]
        pinned = (layout != FREE).any()
        return Frame(
            layout.tolist() if pinned else [], kinds.tolist(), diversity, ranked.tolist(),
            relevance.tolist(), falling.tolist(), reach,
        )  # fmt: skip

    @staticmethod
    def free(ranked: Order) -> "Frame":
        """Where no rule holds."""
        n = int(ranked.max(initial=-1)) + 1
        unlike, anywhere = np.full(n, -1, np.int32), np.full(n, FREE)
        return Frame.of(anywhere, unlike, Diversity(depth=0), ranked, Bounds(None, 1.0))


class Places:
    """The places of one slate as they are filled."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._kinds: list[int] = []  # of the places that are filled, by pins, too
        self._taken: set[int] = set()
        self._most_relevant = 0  # place in `falling`
        self._pass_pins()

    @property
    def next(self) -> int:
        """The next free place, from 0."""
        return len(self._kinds)

    def allowed(self, left: list[int], most: int = 1) -> list[int]:
        """Up to `most` of the items `left`, in their order, that may stand at the next place.

        `left`: not empty, best first by scores that keep the guarantee of bounds.py, of any scorer.
        Where all of them crowd the window: the first.
        """
        frame, rule = self._frame, self._frame.diversity
        window = self._kinds[1 - rule.window :] if self.next < rule.depth else []
        first = frame.kinds[left[0]]
        # The first may always lead: what is so much more relevant has the higher score.
        if most == 1 and (first < 0 or window.count(first) < rule.max_same):
            return left[:1]
        crowded = {kind for kind in window if kind >= 0 and window.count(kind) >= rule.max_same}
        found: list[int] = []
        least = self._least_relevance()
        for index in left:
            leads = frame.relevance[index] >= least or index == left[0]
            if leads and frame.kinds[index] not in crowded:
                found.append(index)
                if len(found) == most:
                    break
        return found or left[:1]

    def put(self, index: int) -> None:
        """At the next free place."""
        self._kinds.append(self._frame.kinds[index])
        self._taken.add(index)
        self._pass_pins()

    def _pass_pins(self) -> None:
        layout, kinds = self._frame.layout, self._kinds
        while len(kinds) < len(layout) and (pinned := layout[len(kinds)]) != FREE:
            kinds.append(self._frame.kinds[pinned])

    def _least_relevance(self) -> float:
        """Of what may stand before all that are left."""
        falling = self._frame.falling
        while falling[self._most_relevant] in self._taken:
            self._most_relevant += 1
        return self._frame.relevance[falling[self._most_relevant]] - self._frame.reach


def best(frame: Frame) -> Order:
    """The ranked items, at each place the best that may stand there."""
    if _spread(frame):
        return np.array(frame.ranked, np.int64)
    places, left = Places(frame), frame.ranked.copy()
    placed: list[int] = []
    while left and places.next < frame.diversity.depth:
        placed.append(places.allowed(left)[0])
        left.remove(placed[-1])
        places.put(placed[-1])
    return np.array(placed + left, np.int64)


def _spread(frame: Frame) -> bool:
    """Whether the ranked items keep the rule as they stand: then the walk would change nothing."""
    if frame.layout:
        return False
    rule = frame.diversity
    kinds = [frame.kinds[index] for index in frame.ranked[: rule.depth]]
    return all(
        kind < 0 or kinds[max(place + 1 - rule.window, 0) : place].count(kind) < rule.max_same
        for place, kind in enumerate(kinds)
    )
