"""Suggestions for a search box, on the wire."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from serving.http.schemas.wire import Wire


class SuggestQuery(Wire):
    """The query string of `/v1/suggest`. q: what was typed so far; nothing is popular ones."""

    q: Annotated[str, StringConstraints(max_length=128)] = ""
    limit: Annotated[int, Field(ge=1, le=20, strict=False)] = 8


class SuggestionOut(Wire):
    """item_id: of an item; category: the path, of a category."""

    text: str
    kind: Literal["query", "category", "brand", "item"]
    item_id: str | None
    category: str | None


class SuggestResponse(Wire):
    """Best first. corrected: what was typed, as it reads without its mistakes."""

    suggestions: list[SuggestionOut]
    corrected: str | None
