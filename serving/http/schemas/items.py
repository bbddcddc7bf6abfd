"""Catalogue entries on the wire."""

from typing import Annotated

from pydantic import Field, FiniteFloat, StringConstraints

from serving.http.schemas.wire import Id, Text, Wire


class ItemIn(Wire):
    """One catalogue entry."""

    item_id: Id
    title: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    description: Text = ""
    category: Annotated[str, StringConstraints(max_length=512)] = ""
    brand: Annotated[str, StringConstraints(max_length=128)] = ""
    price: Annotated[FiniteFloat, Field(ge=0, le=1e9)] | None = None
    currency: Annotated[str, StringConstraints(max_length=3)] = ""
    attributes: Annotated[
        dict[
            Annotated[str, StringConstraints(max_length=64)],
            Annotated[str, StringConstraints(max_length=512)],
        ],
        Field(max_length=64),
    ] = {}
    image_url: Annotated[str, StringConstraints(max_length=2048)] = ""
    available: bool = True


class ItemsRequest(Wire):
    """Add or replace items."""

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=500)]
