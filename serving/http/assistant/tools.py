"""What an assistant may do: each tool is a ranking endpoint, with items that tell what they are."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, Field, ValidationError, field_validator

from serving.errors import InvalidRequestError
from serving.http.access.auth import Caller
from serving.http.assistant.words import told
from serving.http.bodies import invalid
from serving.http.routes.rankings import Ranked, RankingRoutes
from serving.http.schemas.items import SimilarQuery
from serving.http.schemas.rankings import (
    RankedItem,
    RankRequest,
    RankResponse,
    RecommendRequest,
    SearchRequest,
    SearchResponse,
)
from serving.http.schemas.wire import Id, Personalize, Query, UserContext, Wire
from serving.shops.shop import Shop, Shops
from serving.telemetry.stages import Stages

_SHOPPER = ("user_id", "session_id", "personalize")
_Model = TypeVar("_Model", bound=BaseModel)


class SimilarRequest(SimilarQuery):
    """Items like one."""

    item_id: Id


class ExplainRequest(Wire):
    """Why some items stand where they stand, for a query, a sentence or a shopper."""

    item_ids: Annotated[list[Id], Field(min_length=1, max_length=10)]
    query: Query | None = None
    user_context: UserContext | None = None
    user_id: Id | None = None
    session_id: Id | None = None
    personalize: Personalize = True

    @field_validator("item_ids")
    @classmethod
    def _distinct(cls, item_ids: list[str]) -> list[str]:
        for place, item_id in enumerate(item_ids):
            if item_id in item_ids[:place]:
                raise ValueError(f"item_id {item_id!r} stands twice")
        return item_ids


class ItemFacts(Wire):
    """What an item is; null: the catalogue does not say."""

    title: str
    brand: str | None
    category: str | None
    price: float | None
    currency: str | None
    available: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """One of them. arguments, answer: JSON Schemas."""

    name: str
    title: str
    about: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    ask: Callable[[Caller, bytes, Stages], Awaitable[Ranked]]


@dataclass(frozen=True, slots=True)
class Answer:
    """content: by the tool's schema; text: the same in few words."""

    content: dict[str, Any]
    text: str


class Tools:
    """All of them, over the methods that answer the endpoints."""

    def __init__(self, rankings: RankingRoutes, shops: Shops) -> None:
        self._rankings = rankings
        self._shops = shops
        self.by_name = {tool.name: tool for tool in self._all()}

    async def answer(
        self, tool: Tool, caller: Caller, arguments: dict[str, Any], stages: Stages
    ) -> Answer:
        """Raises VitrineError, as the endpoint does."""
        unknown = sorted(arguments.keys() - tool.arguments["properties"].keys())
        if unknown:
            raise InvalidRequestError(f"{unknown[0][:64]}: {tool.name} has no such argument")
        ranked = await tool.ask(caller, _written(arguments), stages)
        content = orjson.loads(orjson.dumps(ranked.body))  # what is not a number is null
        shop = self._shops.of(caller.shop)
        for item in content["items"]:
            item |= _facts(shop, item["item_id"])
        return Answer(content, told(content))

    def _all(self) -> Iterable[Tool]:
        search = ("query", "user_context", "filters", "sort", "facets", "cursor", "limit")
        yield Tool(
            "search",
            "Search the shop",
            "Find items for a query and rank them. Put conditions of the shopper (price, what to "
            "avoid, brands, for whom) into user_context in the shopper's own words, in English, "
            "German or Chinese; `understood` tells what was made of them.",
            _arguments(SearchRequest, *search, *_SHOPPER),
            _answer(SearchResponse),
            self._search,
        )
        recommend = ("user_context", "filters", "seed_item_ids", "cart_item_ids", "limit")
        yield Tool(
            "recommend",
            "Recommend items",
            "Choose items without a query: for a shopper, like some items, or that go with a cart.",
            _arguments(RecommendRequest, *recommend, *_SHOPPER),
            _answer(RankResponse),
            self._recommend,
        )
        yield Tool(
            "similar",
            "Items like one",
            "Items like the given one.",
            _arguments(SimilarRequest, "item_id", "limit", "exclude_bought", *_SHOPPER),
            _answer(RankResponse),
            self._similar,
        )
        yield Tool(
            "explain",
            "Explain a ranking",
            "Order up to ten items for a query, a sentence or a shopper, and tell for each how "
            "relevant it is, what its score is the sum of and which conditions it meets.",
            _arguments(ExplainRequest, "item_ids", "query", "user_context", *_SHOPPER),
            _answer(RankResponse),
            self._explain,
        )

    async def _search(self, caller: Caller, arguments: bytes, stages: Stages) -> Ranked:
        return await self._rankings.search(caller, _read(SearchRequest, arguments), stages)

    async def _recommend(self, caller: Caller, arguments: bytes, stages: Stages) -> Ranked:
        return await self._rankings.recommend(caller, _read(RecommendRequest, arguments), stages)

    async def _similar(self, caller: Caller, arguments: bytes, stages: Stages) -> Ranked:
        asked = _read(SimilarRequest, arguments)
        return await self._rankings.similar(caller, asked.item_id, asked, stages)

    async def _explain(self, caller: Caller, arguments: bytes, stages: Stages) -> Ranked:
        asked = _read(ExplainRequest, arguments)
        ranking = {
            **asked.model_dump(exclude={"item_ids"}),
            "candidates": asked.item_ids,
            "explain": True,
        }
        return await self._rankings.rank(caller, _read(RankRequest, _written(ranking)), stages)


def _written(arguments: dict[str, Any]) -> bytes:
    """As JSON. A client may send what has no place there: integers of more than 64 bits."""
    for name, value in arguments.items():
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError as error:
            raise InvalidRequestError(f"{name}: {error}") from None
    return orjson.dumps(arguments)


def _read(model: type[_Model], arguments: bytes) -> _Model:
    try:
        return model.model_validate_json(arguments)
    except ValidationError as error:
        raise invalid(error) from None


def _facts(shop: Shop, item_id: str) -> dict[str, Any]:
    row = shop.items.table.row_of.get(item_id)
    if row is None:
        return ItemFacts(
            title=item_id, brand=None, category=None, price=None, currency=None, available=True
        ).model_dump()
    item, table = shop.items.table.items[row], shop.items.table
    known = float(table.price[row])
    return {
        "title": item.title,
        "brand": item.brand or None,
        "category": item.category or None,
        "price": round(known, 2) if known == known else None,
        "currency": table.prices.currency or item.currency or None,
        "available": bool(table.available[row]),
    }


def _arguments(model: type[BaseModel], *names: str) -> dict[str, Any]:
    """The schema of a request, of these fields alone."""
    whole = model.model_json_schema()
    schema = {
        "type": "object",
        "properties": {name: whole["properties"][name] for name in names},
        "required": [name for name in whole.get("required", []) if name in names],
        "additionalProperties": False,
    }
    used = _definitions(schema, whole.get("$defs", {}))
    return {**schema, **({"$defs": used} if used else {})}


def _definitions(schema: Any, known: dict[str, Any]) -> dict[str, Any]:
    """The definitions that a schema refers to, and those that these refer to."""
    used: dict[str, Any] = {}
    waiting = [schema]
    while waiting:
        for name in re.findall(r'"#/\$defs/([^"]+)"', json.dumps(waiting.pop())):
            if name not in used:
                used[name] = known[name]
                waiting.append(known[name])
    return used


def _answer(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a response whose items tell what they are."""
    schema = model.model_json_schema()
    item, facts = schema["$defs"][RankedItem.__name__], ItemFacts.model_json_schema()
    item["properties"] |= facts["properties"]
    item["required"] += facts["required"]
    return schema
