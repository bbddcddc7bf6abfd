"""The OpenAPI document: FastAPI's, completed with the bodies that we validate ourselves."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.http.problems import Problem
from serving.http.schemas.events import EventsResponse, EventsSchema
from serving.http.schemas.items import (
    ImportResponse,
    ItemOut,
    ItemPage,
    ItemPatch,
    ItemsPatch,
    ItemsPut,
    ItemsResponse,
)
from serving.http.schemas.rankings import (
    RankRequest,
    RankResponse,
    RecommendRequest,
    SearchRequest,
    SearchResponse,
)
from serving.http.schemas.rerank import DocumentsRerank, TextsRerank
from serving.http.schemas.suggest import SuggestResponse
from serving.http.schemas.users import MergeRequest, MergeResponse, UserFeatures

_MODELS = (
    RankRequest,
    SearchRequest,
    RecommendRequest,
    RankResponse,
    SearchResponse,
    SuggestResponse,
    EventsResponse,
    ItemsPut,
    ItemsPatch,
    ItemsResponse,
    ImportResponse,
    ItemPatch,
    ItemOut,
    ItemPage,
    MergeRequest,
    MergeResponse,
    UserFeatures,
    TextsRerank,
    DocumentsRerank,
    Problem,
)
_PROBLEMS = {
    "400": "The body is not JSON, or not compressed as it says.",
    "401": "No key, or an unknown one.",
    "403": "The key lacks the scope.",
    "404": "No such resource.",
    "413": "The body is too large.",
    "415": "The body is compressed, or is a patch, of a kind that is not known.",
    "422": "A field cannot be used; the detail names it.",
    "429": "The key is over its rate.",
    "503": "More load than can be taken.",
}


def document(app: FastAPI) -> dict[str, Any]:
    """The document served at /openapi.json."""
    schema = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        routes=app.routes,
        description="Ranking for storefronts.",
    )
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS],
        ref_template="#/components/schemas/{model}",
    )
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    components.update(definitions["$defs"])
    # Events are judged one by one, so our model holds raw values; callers see the true form.
    _, events = models_json_schema(
        [(EventsSchema, "validation")], ref_template="#/components/schemas/{model}"
    )
    components.update(events["$defs"])
    components["EventsRequest"] = components.pop("EventsSchema")
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            public = path in ("/", "/healthz", "/readyz", "/metrics")
            for status, description in _PROBLEMS.items():
                if not public:
                    operation["responses"][status] = {
                        "description": description, "content": content,
                    }  # fmt: skip
    return schema


def takes(
    model: type[BaseModel],
    answer: type[BaseModel] | None,
    status: int = 200,
    *others: type[BaseModel],
    media: Sequence[str] = ("application/json",),
) -> dict[str, Any]:
    """What an operation that reads its body itself takes (one of several models) and gives."""
    accepted = [ref(body) for body in (model, *others)]
    schema = accepted[0] if len(accepted) == 1 else {"oneOf": accepted}
    body = {"required": True, "content": {kind: {"schema": schema} for kind in media}}
    return {"requestBody": body, **(gives(answer, status) if answer else {})}


def gives(model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """What an operation answers."""
    content = {"application/json": {"schema": ref(model)}}
    return {"responses": {str(status): {"description": "Done.", "content": content}}}


def ref(model: type[BaseModel]) -> dict[str, str]:
    """A reference to a model of the document."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}
