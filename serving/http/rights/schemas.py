"""Shoppers' preferences on the wire. docs/rights.md is the reference."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from serving.http.schemas.rankings import CategoryPath
from serving.http.schemas.wire import Id, Wire
from serving.shops.rights.audit import Access

_PERSONAL = "Whether answers may be personal. false alone also ends `profiling`."
_PROFILING = "Whether events may be kept and learnt from."
_FROZEN = "true: what is known is kept, unused and unchanged."


class InterestName(Wire):
    """A brand, or a category path with all below it."""

    brand: Id | None = None
    category: CategoryPath | None = None

    @model_validator(mode="after")
    def _one(self) -> "InterestName":
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError(f"one of {', '.join(type(self).model_fields)} is wanted")
        return self


class Unwanted(InterestName):
    """An item, a brand, or a category path with all below it."""

    item_id: Id | None = None


UnwantedThings = Annotated[list[Unwanted], Field(max_length=50)]


class PreferencesIn(Wire):
    """What is given changes, all else stays."""

    personal: bool | None = Field(None, description=_PERSONAL)
    profiling: bool | None = Field(None, description=_PROFILING)
    frozen: bool | None = Field(None, description=_FROZEN)
    hide: UnwantedThings = Field([], description="Not for me: is not to be shown any more.")
    show: UnwantedThings = Field([], description="Is to be shown again.")
    forget: Annotated[list[InterestName], Field(max_length=50)] = Field(
        [], description="Interests that are to be known no more, until they show anew."
    )

    forget_last_hour: bool = Field(
        False, description="Of a user: forget what was done in the last hour, on a shared device."
    )

    @model_validator(mode="after")
    def _possible(self) -> "PreferencesIn":
        if self.personal and self.profiling is False:
            raise ValueError("personal: what may not be learnt from cannot make answers personal")
        return self


class InterestOut(Wire):
    """A brand or category that the shopper seems to care for."""

    kind: Literal["category", "brand"]
    name: str
    share: float = Field(description="Of the care for all brands, or categories of its depth.")
    times: float = Field(description="So often bought, or else taken up, as far as it is kept.")
    last_at: datetime | None = Field(description="When that was last; null: not kept any more.")


class Hidden(Wire):
    """What is not shown to the shopper."""

    items: list[str]
    brands: list[str]
    categories: list[str]


class PreferencesOut(Wire):
    """What a shopper, or a session, has chosen, and what it seems to care for."""

    personal: bool = Field(description=_PERSONAL)
    profiling: bool = Field(description=_PROFILING)
    frozen: bool = Field(description=_FROZEN)
    chosen_at: datetime | None = Field(description="When this was chosen last; null: never.")
    interests: list[InterestOut] = Field(description="The strongest, ten of a kind at most.")
    hidden: Hidden


class ErasureTaken(Wire):
    """An erasure that is on its way."""

    accepted: int
    receipt: str = Field(description="For `GET /v1/erasures/{receipt}`; it names nobody.")


class ErasurePart(Wire):
    """What of an erasure is done, or due."""

    what: str
    done: bool = Field(description="Whether this service has seen it done.")
    due_at: datetime = Field(description="By when it is; what the shop promises by its rules.")


class ErasureOut(Wire):
    """What became of an erasure."""

    receipt: str
    at: datetime
    of_user: bool | None = Field(description="Whether it is of `user_id`; null: none was given.")
    parts: list[ErasurePart]


class AuditEntry(Wire):
    """One access to a shopper's data."""

    at: datetime
    key: str = Field(description="The name of the API key.")
    access: Access


class AuditOut(Wire):
    """The accesses of a day, in their order."""

    day: str
    entries: list[AuditEntry]


MODELS: tuple[type[BaseModel], ...] = (
    PreferencesIn,
    PreferencesOut,
    ErasureTaken,
    ErasureOut,
    AuditOut,
)
