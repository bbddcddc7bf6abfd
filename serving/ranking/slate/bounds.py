"""What a shopper's preference may do to a query: it reorders within relevance, never against it.

The guarantee. Let R be the relevance of a candidate to the query (serving/search/relevance.py), the
same for every shopper. Of two candidates whose R differs by more than `reach`, the more relevant
one stands first, whatever the shopper's history, the model, boosts, diversity and exploration say.
Only a pin and a bury, which a merchandiser wrote for an item, and a hide, which the shopper said of
it, are above it.
"""

import numpy as np

from features.arrays import BoolArray, FloatArray, RowArray


class Bounds:
    """Of one request. relevance: float32 (n,) in 0..1; None: no query, and everything may move."""

    def __init__(self, relevance: FloatArray | None, reach: float) -> None:
        self.relevance = relevance
        self.reach = reach

    def bounded(self, preference: FloatArray) -> FloatArray:
        """Scores in 0..1 that keep the guarantee, (n,); `preference` itself where nothing is asked.

        A preference that is so many spreads above the slate's mean adds up to `reach`.
        """
        if self.relevance is None or len(preference) == 0:
            return preference
        spread = float(preference.std()) or 1.0
        share = 1 / (1 + np.exp(-(preference - preference.mean()) / spread))
        total: FloatArray = (self.relevance + self.reach * share).astype(np.float32)
        return total / np.float32(1 + self.reach)

    def may_lead(self, left: RowArray, of: RowArray | None = None) -> BoolArray:
        """Which of the candidates `of` (default: `left`) may stand before all that are `left`."""
        of = left if of is None else of
        if self.relevance is None or len(left) == 0:
            return np.ones(len(of), bool)
        leads: BoolArray = self.relevance[of] >= self.relevance[left].max() - self.reach
        return leads
