"""The OpenAPI document: FastAPI's, completed with the bodies that we validate ourselves, with tags,
worked examples and every error."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.http.problems import PROBLEMS, Problem
from serving.http.schemas import (
    events,
    experiments,
    items,
    kinds,
    operations,
    rankings,
    readings,
    rerank,
    suggest,
    users,
)
from serving.http.schemas.examples import EXAMPLES, Example
from serving.shops.experiments import Experiment

_MODELS: tuple[type[BaseModel], ...] = (
    rankings.RankRequest,
    rankings.SearchRequest,
    rankings.RecommendRequest,
    rankings.RankResponse,
    rankings.SearchResponse,
    kinds.BrandsRequest,
    kinds.CategoriesRequest,
    kinds.LikedResponse,
    suggest.SuggestResponse,
    events.EventsResponse,
    events.EventsImported,
    items.ItemsPut,
    items.ItemsPatch,
    items.ItemsResponse,
    items.ImportResponse,
    items.ItemPatch,
    items.ItemPage,
    items.ImageIn,
    items.PictureOut,
    users.MergeRequest,
    users.UserFeatures,
    rerank.TextsRerank,
    rerank.DocumentsRerank,
    rerank.TextScore,
    rerank.CohereAnswer,
    rerank.VoyageAnswer,
    experiments.ExperimentsOut,
    readings.ReadingOut,
    experiments.VersionsOut,
    experiments.DecisionIn,
    Experiment,
    operations.Home,
    operations.Health,
    operations.Ready,
    operations.ShopStatus,
    operations.Accepted,
    Problem,
)
_ABOUT = """\
Ranking for storefronts: search, recommendations and the order of what you offer.

Send a key as `Authorization: Bearer <key>`; each group names the scope that it needs. Every answer
has `x-request-id`. Errors are RFC 9457 problem documents, and `code` says what is wrong.
"""
_TAGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Rankings": (
        "What to show, in which order. Scope `rank`.",
        (
            "/v1/rank",
            "/v1/search",
            "/v1/recommend",
            "/v1/recommend/brands",
            "/v1/recommend/categories",
            "/v1/items/{item_id}/similar",
        ),
    ),
    "Suggestions": ("What somebody is typing. Scope `rank`.", ("/v1/suggest",)),
    "Rerank": (
        "Free texts against a query, for existing clients. Scope `rank`.",
        ("/rerank", "/v1/rerank", "/v2/rerank"),
    ),
    "Events": (
        "What shoppers do. Scope `events`.",
        ("/v1/events", "/v1/events/import", "/v1/users/{user_id}/merge"),
    ),
    "Items": (
        "The catalogue. Scope `items`.",
        ("/v1/items", "/v1/items/import", "/v1/items/{item_id}", "/v1/items/{item_id}/image"),
    ),
    "Shoppers": (
        "What is known of a shopper. Scope `admin`.",
        ("/v1/users/{user_id}", "/v1/users/{user_id}/features"),
    ),
    "Experiments": (
        "What the shop tries, and by which versions of the ranker. Scope `admin`.",
        (
            "/v1/experiments",
            "/v1/experiments/{key}",
            "/v1/experiments/{key}/decision",
            "/v1/experiments/{key}/reading",
            "/v1/versions",
        ),
    ),
    "Operations": (
        "For operators. No key, but for `/v1/status` (scope `rank`).",
        ("/", "/healthz", "/readyz", "/metrics", "/v1/status"),
    ),
}
_HEADERS = {
    "Rankings": {"x-vitrine-variant": "What the request was ranked by."},
    "Rerank": {
        "x-vitrine-route": "`model`, or `fallback`: by words.",
        "x-vitrine-truncated": "Places of texts that were cut; left out when none was.",
    },
}
_CONFLICTING = ("put_experiment", "delete_experiment")
_DONE = {"200": "The answer.", "202": "Taken, and on disk.", "204": "Gone."}


def document(app: FastAPI) -> dict[str, Any]:
    """The document served at /openapi.json."""
    schema = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        routes=app.routes,
        description=_ABOUT,
        tags=[{"name": name, "description": about} for name, (about, _) in _TAGS.items()],
    )
    components = schema.setdefault("components", {})
    # Events are judged one by one, so our model holds raw values; callers see the true form.
    components["schemas"] = {**_definitions(_MODELS), **_definitions([events.EventsSchema])}
    # Generators of clients name a class by the title.
    form = components["schemas"].pop("EventsSchema")
    components["schemas"]["EventsRequest"] = {**form, "title": "EventsRequest"}
    components["responses"] = {_name(status): _problem(status) for status in PROBLEMS}
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            _complete(path, operation)
    return schema


def takes(
    model: type[BaseModel],
    answer: type[BaseModel] | None,
    status: int = 200,
    *others: type[BaseModel],
    media: str = "application/json",
) -> dict[str, Any]:
    """What an operation that reads its body itself takes (one of several models) and gives."""
    accepted = [ref(body) for body in (model, *others)]
    schema = accepted[0] if len(accepted) == 1 else {"oneOf": accepted}
    body = {"required": True, "content": {media: {"schema": schema}}}
    return {"requestBody": body, **(gives(answer, status) if answer else {})}


def gives(model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """What an operation answers."""
    return answers(ref(model), status)


def answers(schema: dict[str, Any], status: int = 200) -> dict[str, Any]:
    """The same, by a schema."""
    content = {"application/json": {"schema": schema}}
    return {"responses": {str(status): {"description": _DONE[str(status)], "content": content}}}


def ref(model: type[BaseModel]) -> dict[str, str]:
    """A reference to a model of the document."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Tag, summary, examples, headers and errors of one operation."""
    tag = next(name for name, (_, paths) in _TAGS.items() if path in paths)
    operation["tags"] = [tag]
    summary, _, rest = operation["description"].partition("\n")
    operation["summary"] = summary.strip().rstrip(".")
    operation["description"] = " ".join(rest.split()) or summary
    example = EXAMPLES[operation["operationId"]]
    for parameter in operation.get("parameters", []):
        if parameter["name"] in example.parameters:
            parameter["example"] = example.parameters[parameter["name"]]
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media["example"] = example.body
    responses = operation["responses"]
    for status in [status for status in responses if status in _DONE]:
        _show(responses[status], status, example, _HEADERS.get(tag, {}))
    for status in _statuses(path, operation):
        responses[status] = {"$ref": f"#/components/responses/{_name(status)}"}


def _show(response: dict[str, Any], status: str, example: Example, headers: dict[str, str]) -> None:
    response["description"] = _DONE[status]
    for media in response.get("content", {}).values():
        media["example"] = example.answer
    if headers:
        response["headers"] = {
            name: {"description": about, "schema": {"type": "string"}}
            for name, about in headers.items()
        }


def _statuses(path: str, operation: dict[str, Any]) -> list[str]:
    """The errors that an operation can answer; one without a key has none but its own."""
    if "security" not in operation:
        return []
    statuses = ["401", "403", "429", "503"]
    if "requestBody" in operation:
        statuses += ["400", "413", "415", "422"]
    if operation.get("parameters"):
        statuses.append("422")
    if "{" in path:
        statuses.append("404")
    if operation["operationId"] in _CONFLICTING:
        statuses.append("409")
    return sorted(set(statuses))


def _problem(status: str) -> dict[str, Any]:
    about, code, detail, header = PROBLEMS[status]
    example = {
        "type": f"urn:vitrine:problem:{code}", "title": HTTPStatus(int(status)).phrase,
        "status": int(status), "detail": detail, "code": code, "request_id": "0f8b5d0e",
    }  # fmt: skip
    content = {"application/problem+json": {"schema": ref(Problem), "example": example}}
    headers = {"headers": {header: {"schema": {"type": "string"}}}} if header else {}
    return {"description": about, "content": content, **headers}


def _name(status: str) -> str:
    return HTTPStatus(int(status)).phrase.title().replace(" ", "")


def _definitions(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    _, found = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    definitions: dict[str, Any] = found["$defs"]
    return definitions
