"""What every part of the wire has: closed and strict models, and the kinds of fields."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
)

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(at: datetime) -> datetime:
    """Times near the ends of the calendar cannot be converted to UTC."""
    if not _EARLIEST <= at < _LATEST:
        raise ValueError("a time from 2000 to 2199 is wanted")
    return at


Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Query = Annotated[str, StringConstraints(min_length=1, max_length=512)]
UserContext = Annotated[
    str,
    StringConstraints(min_length=1, max_length=512),
    Field(description="What is wanted, in a sentence: for a ten-year-old, under 30 euros."),
]
Text = Annotated[str, StringConstraints(max_length=8192)]
Score = Annotated[FiniteFloat, Field(ge=-1e9, le=1e9)]
Time = Annotated[AwareDatetime, AfterValidator(_plausible)]


Personalize = Annotated[
    bool,
    Field(description="false: nothing of the shopper is read or kept; the answer is everybody's."),
]
Personal = Annotated[
    bool | None,
    Field(description="false: by the request or the shopper's choice; left out where it is."),
]


class Wire(BaseModel):
    """Closed and strict: a misspelt field is not ignored in silence, "20" is not a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Collapse(StrEnum):
    """By what items are taken for the same."""

    IMAGE = "image"


CollapseBy = Annotated[Collapse, Field(strict=False)] | None
COLLAPSE: Any = Field(
    None, description="`image`: of items that show the same picture, only the best."
)
