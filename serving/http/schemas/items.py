"""Catalogue entries on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, StringConstraints, field_validator

from features.pictures.store import PictureState
from serving.http.schemas.events import Rejected, RejectedLine
from serving.http.schemas.wire import COLLAPSE, CollapseBy, Id, Personalize, Text, Time, Wire
from serving.pictures.problems import PictureProblem

MAX_ATTRIBUTES = 64
Title = Annotated[str, StringConstraints(min_length=1, max_length=512)]
AttributeName = Annotated[str, StringConstraints(max_length=64)]
AttributeValue = Annotated[str, StringConstraints(max_length=512)]


class ItemFields(Wire):
    """What may be said of an item. A null empties a field, as in a JSON merge patch."""

    title: Title | None = None
    description: Text | None = None
    category: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        None, description='A path with " > " between its levels.'
    )
    brand: Annotated[str, StringConstraints(max_length=128)] | None = None
    price: Annotated[FiniteFloat, Field(ge=0, le=1e9)] | None = None
    currency: Annotated[str, StringConstraints(max_length=3)] | None = Field(
        None, description="ISO 4217."
    )
    created_at: Time | None = Field(
        None, description="When it entered the catalogue; null: it was always there."
    )
    available: bool | None = Field(None, description="False: sold out. Null is true.")
    image_url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    attributes: (
        Annotated[dict[AttributeName, AttributeValue | None], Field(max_length=MAX_ATTRIBUTES)]
        | None
    ) = Field(None, description="A null is no attribute.")
    picture_text: str | None = Field(
        None, description="Ignored: what an answer gave may be sent back, and changes nothing."
    )

    @field_validator("title")
    @classmethod
    def _has_title(cls, title: str | None) -> str | None:
        if title is None:
            raise ValueError("an item needs a title")
        return title


class ItemIn(ItemFields):
    """A whole item. What is left out is empty; `created_at` left out stays as it was."""

    item_id: Id
    title: Title


class ItemChange(ItemFields):
    """Changes of one item of a list; what is left out stays as it is."""

    item_id: Id


class ItemPatch(ItemFields):
    """Changes of the item in the path; what is left out stays as it is."""

    item_id: Id | None = Field(None, description="If given, that of the path.")


class ItemsRequest(Wire):
    """A list of items, or of changes; a bad one is rejected alone."""

    items: Annotated[list[Any], Field(min_length=1, max_length=500)]


class ItemsPut(Wire):
    """Items to add or to replace; the documented form of the request."""

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=500)]


class ItemsPatch(Wire):
    """Changes of items; the documented form of the request."""

    items: Annotated[list[ItemChange], Field(min_length=1, max_length=500)]


class ItemsResponse(Wire):
    """What was accepted is durable when this is sent."""

    accepted: int
    rejected: list[Rejected]


class ImportResponse(Wire):
    """Counts of lines; what was accepted is durable."""

    accepted: int
    rejected: int
    errors: list[RejectedLine] = Field(description="The first 100.")


class ItemOut(Wire):
    """An item as the catalogue has it; it can be sent back with PUT."""

    item_id: str
    title: str
    description: str
    category: str
    brand: str
    price: float | None
    currency: str
    created_at: datetime | None
    available: bool
    image_url: str
    attributes: dict[str, str]
    picture_text: str | None = Field(
        description="What is written on its picture, as far as it was read: plain text of a "
        "stranger, with a line break between lines."
    )


class ImageIn(Wire):
    """The picture of an item."""

    image: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="The bytes of a JPEG, PNG or WebP file as base64, or a data URL."
    )


class WrittenOut(Wire):
    """What is written on the picture of an item."""

    state: Literal["waiting", "read", "failed"]
    text: str | None = Field(description="Null: nothing, or not yet.")
    problem: PictureProblem | None = Field(description="Of the last try, if that failed.")


class PictureOut(Wire):
    """What became of the picture of an item."""

    state: PictureState
    origin: str = Field(description='Where it is from: a URL, or "bytes".')
    problem: PictureProblem | None = Field(description="Why it could not be had, if it could not.")
    tries: int = Field(description="So far; one that may yet succeed is tried again.")
    reading: WrittenOut | None = Field(description="Null where nobody reads what is written.")


class ItemPage(Wire):
    """Items by id."""

    items: list[ItemOut]
    cursor: str | None = Field(description="For the next page; null at the end.")


class ItemPageQuery(Wire):
    """The query string of `GET /v1/items`."""

    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        None, description="Of the page before."
    )
    # A query string has only strings.
    limit: Annotated[int, Field(ge=1, le=500, strict=False)] = 100


class SimilarQuery(Wire):
    """The query string of `/v1/items/{item_id}/similar`."""

    # A query string has only strings.
    limit: Annotated[int, Field(ge=1, le=200, strict=False)] = 20
    by: Literal["text", "image", "behavior"] | None = Field(
        None, description="What alone counts; left out: all that is known."
    )
    collapse: CollapseBy = COLLAPSE
    user_id: Id | None = None
    session_id: Id | None = None
    exclude_bought: Annotated[bool, Field(strict=False)] = False
    personalize: Annotated[Personalize, Field(strict=False)] = True
