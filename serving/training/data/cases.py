"""What one slate is to be made of: the moment, the shopper and the candidates."""

from dataclasses import dataclass, field

import numpy as np

from features.arrays import FloatArray, RowArray

NO_ROWS: RowArray = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Draw:
    """How many label-0 candidates to add to a case, and from where."""

    popular: int = 0  # with probability proportional to past purchases
    uniform: int = 0
    own: int = 0  # what the shopper has bought before
    catalogue: bool = False  # everything that is available


@dataclass(frozen=True, slots=True)
class Case:
    """One ranking to be made at `at_s`, from what the events before `position` tell.

    rows, labels, weights: (n,) candidates that are given, with relevance label (0 = not wanted) and
    weight of the label; `draw` adds more. `excluded`: rows that must not be drawn. `begun`: rows
    that already lie in the session's cart.
    """

    position: int
    at_s: float
    user_id: str = ""
    session_id: str = ""
    query: str = ""
    rows: RowArray = field(default_factory=lambda: NO_ROWS)
    labels: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    weights: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    retrieval_score: FloatArray | None = None
    draw: Draw = Draw()
    excluded: RowArray = field(default_factory=lambda: NO_ROWS)
    begun: RowArray = field(default_factory=lambda: NO_ROWS)
