"""The OpenAPI document: FastAPI's, completed with the bodies that we validate ourselves, with tags,
worked examples and every error."""

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.http.documented import ABOUT, EXAMPLES, HEADERS, MODELS, TAGS
from serving.http.problems import PROBLEMS, Problem
from serving.http.schemas import events
from serving.http.schemas.examples import Example

_CONFLICTING = (
    "put_experiment", "delete_experiment", "put_answer", "put_classifier", "put_shop",
    "delete_shop", "put_shop_key", "delete_shop_key", "import_items", "import_events",
    "put_user_preferences", "put_session_preferences",
)  # fmt: skip
_NAMING = ("classify", "post_texts")  # their bodies name what may not be there
_DONE = {"200": "The answer.", "202": "Taken, and on disk.", "204": "Gone."}


def document(app: FastAPI) -> dict[str, Any]:
    """The document served at /openapi.json."""
    schema = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        routes=app.routes,
        description=ABOUT,
        tags=[{"name": name, "description": about} for name, (about, _) in TAGS.items()],
    )
    components = schema.setdefault("components", {})
    components["schemas"] = {**_schemas()}
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
    tag = next(name for name, (_, paths) in TAGS.items() if path in paths)
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
        _show(responses[status], status, example, HEADERS.get(tag, {}))
    for status in _statuses(path, operation):
        responses[status] = {"$ref": f"#/components/responses/{_name(status)}"}


def _show(response: dict[str, Any], status: str, example: Example, headers: dict[str, str]) -> None:
    response["description"] = _DONE[status]
    for media in response.get("content", {}).values():
        media.setdefault("example", example.answer)
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
    if "{" in path or operation["operationId"] in _NAMING:
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


@cache
def _schemas() -> dict[str, Any]:
    """Those of all models by name; they are the same for every application."""
    # Events are judged one by one, so our model holds raw values; callers see the true form.
    schemas = {**_definitions(MODELS), **_definitions([events.EventsSchema])}
    # Generators of clients name a class by the title.
    schemas["EventsRequest"] = {**schemas.pop("EventsSchema"), "title": "EventsRequest"}
    return schemas


def _definitions(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    _, found = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    definitions: dict[str, Any] = found["$defs"]
    return definitions
