"""What an explanation has beside the features: reasons, contributions, the place without history.

Contributions are in units of the answered `score`, and add up to it from the baseline.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from serving.types import Cause

RULE = "rule"  # beside the families of columns: what the shop's rules lift


@dataclass(frozen=True, slots=True)
class WithoutHistory:
    """The place of an item among the same candidates for somebody whom the shop does not know."""

    position: int
    words: str


@dataclass(frozen=True, slots=True)
class Told:
    """Of one item of a slate.

    reasons: at most three, in words, what sets it apart most first
    baseline: the score of an item of which nothing is known, for somebody of whom nothing is; by
    rules: of the mean candidate; None: the score is no sum, or the model did not tell
    contributions: what each family adds to it, by name
    without_history: None: nobody asked, or the shop does not know this shopper
    """

    reasons: tuple[str, ...] = ()
    baseline: float | None = None
    contributions: Mapping[str, float] | None = None
    without_history: WithoutHistory | None = None


NOTHING_TOLD = Told()


@dataclass(frozen=True, slots=True)
class Because:
    """An item that the shopper knows and that speaks for another, and what was done with it."""

    item_id: str
    title: str
    kind: Cause

    def as_dict(self) -> dict[str, str]:
        """As JSON has it."""
        return {"item_id": self.item_id, "title": self.title, "kind": self.kind.value}
