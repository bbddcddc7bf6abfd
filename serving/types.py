"""What every room uses: closed sets of words (metric labels, and on the wire), and scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate

from features.arrays import FloatArray


class Route(StrEnum):
    """How a ranking came about."""

    MODEL = "model"
    COLD_START = "cold_start"
    FALLBACK = "fallback"


class Dispatch(StrEnum):
    """Why a batch was closed: a metric label."""

    IDLE = "idle"  # the model had nothing to do, and nothing else waited
    WAITED = "waited"  # all that waited behind the last batch
    FULL = "full"  # more waits than fits


class Reason(StrEnum):
    """Why it was not the model alone, a closed set: it is a metric label."""

    SHORTLIST = "shortlist"  # the model ranked the best by rules: time was short
    NEW_SHOPPER = "new_shopper"
    NOT_PERSONAL = "not_personal"  # nobody is known, for the shopper or the request wants it so
    DEADLINE = "deadline"
    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_OVERLOADED = "model_overloaded"
    BAD_MODEL_OUTPUT = "bad_model_output"
    FEATURES_UNAVAILABLE = "features_unavailable"
    SORTED = "sorted"  # the caller wanted an order of its own
    VERSION_NOT_LOADED = "version_not_loaded"  # by the version in use, not by the arm's
    NO_MATCH = "no_match"  # nothing that the catalogue has answers the query

    @classmethod
    def of(cls, code: str) -> "Reason":
        """An error's code; one that no reason is named after tells of a model that is not well."""
        try:
            return cls(code)
        except ValueError:
            return cls.MODEL_UNAVAILABLE


class Cause(StrEnum):
    """What a shopper did with an item that speaks for another, the strongest first."""

    BOUGHT = "bought"
    CART = "cart"
    VIEWED = "viewed"


class Exclusion(StrEnum):
    """Whether what the shopper has bought could be left out."""

    APPLIED = "applied"
    UNKNOWN_SHOPPER = "unknown_shopper"  # nothing is known, so there was nothing to leave out
    FEATURES_UNAVAILABLE = "features_unavailable"  # it was not left out


class HandOver(StrEnum):
    """Why a question goes to a human, a closed set: it is a metric label."""

    NOT_SURE = "not_sure"  # no answer is as likely as is asked for
    NO_ANSWERS = "no_answers"  # the shop has none


class Stage(StrEnum):
    """Where the time of a request goes: span name, metric label and Server-Timing entry."""

    VALIDATE = "validate"
    WAIT = "wait"
    RETRIEVE = "retrieve"
    FEATURES = "features"
    SCORE = "score"
    RULES = "rules"
    SLATE = "slate"


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one request's candidates, higher is better.

    values: float32 (n,); parts: float32 (n, n_parts), named by `part_names`, NaN = does not apply
    contributions: float32 (n, 1 + families), the baseline's score and what each family of columns
    adds to it; None: it was not asked
    """

    values: FloatArray
    parts: FloatArray
    part_names: tuple[str, ...]
    model_version: str | None = None
    contributions: FloatArray | None = None

    def split(self, counts: Sequence[int]) -> list["Scores"]:
        """Of several requests' candidates, one behind the other: each request's; counts: theirs."""
        rows = [slice(end - n, end) for n, end in zip(counts, accumulate(counts), strict=True)]
        told = self.contributions
        return [
            replace(
                self,
                values=self.values[own],
                parts=self.parts[own],
                contributions=None if told is None else told[own],
            )
            for own in rows
        ]
