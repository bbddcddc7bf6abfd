"""Bodies in, problems out: how every endpoint reads a request and tells what is wrong with it."""

import logging
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from serving.errors import InvalidRequestError, VitrineError
from serving.http.middleware import problem
from serving.http.problems import first_problem, sentence
from serving.telemetry.stages import Stages
from serving.types import Stage

_LOG = logging.getLogger("vitrine.http")
_Model = TypeVar("_Model", bound=BaseModel)
_NO_PATH = "no such path; a slash that is part of an id is written %2F, and none stands at the end"


async def read_body(
    request: Request, model: type[_Model], shorten: Callable[[bytes], bytes | None] | None = None
) -> _Model:
    """The body as a `model`, validated straight from its bytes.

    shorten: says the same in fewer words; of what is wrong, the body tells as it came
    """
    body = await request.body()
    with stages_of(request).stage(Stage.VALIDATE):
        shorter = None if shorten is None else shorten(body)
        if shorter is not None:
            with suppress(ValidationError):
                return model.model_validate_json(shorter)
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise invalid(error) from None


def with_bare_ids(body: bytes) -> bytes | None:
    """A RankRequest whose candidates are all `{"item_id": ...}`, with their ids alone; else None.

    pydantic takes ten times as long for an object as for a string, and orjson reads a hundred of
    them in a tenth of that.
    """
    try:
        asked = orjson.loads(body)
        candidates = asked["candidates"]
        item_ids = [candidate["item_id"] for candidate in candidates]
        if set(map(type, item_ids)) != {str} or sum(map(len, candidates)) > len(item_ids):
            return None
        asked["candidates"] = item_ids
        return orjson.dumps(asked)
    except (orjson.JSONDecodeError, KeyError, TypeError):  # the body says itself what is wrong
        return None


class MalformedJsonError(InvalidRequestError):
    """The body is not JSON."""

    code = "malformed_json"
    status_code = 400


def invalid(error: ValidationError, branch: str = "") -> InvalidRequestError:
    """The first thing wrong; 400 for what is no JSON at all."""
    if error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid":
        return MalformedJsonError("the body is not valid JSON")
    return InvalidRequestError(first_problem(error, branch))


def json_response(
    content: Any, status_code: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Plain data as JSON; NaN is null."""
    return Response(orjson.dumps(content), status_code, headers, "application/json")


def stages_of(request: Request) -> Stages:
    """The timings of this request."""
    stages: Stages = request.state.stages
    return stages


def add_error_answers(app: FastAPI) -> None:
    """Every error as a problem document."""

    @app.exception_handler(VitrineError)
    @app.exception_handler(HTTPException)
    async def known(request: Request, error: VitrineError | HTTPException) -> Response:
        return error_answer(request, error)

    @app.exception_handler(RequestValidationError)
    async def bad_parameter(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return problem(request, 422, "invalid_request", sentence(first["loc"], first["msg"]))


def error_answer(request: Request, error: VitrineError | HTTPException) -> Response:
    """An error as a problem document."""
    if isinstance(error, HTTPException):
        return _http_answer(request, error)
    shown = str(error.args[0]) if error.args else error.code
    retry_after_s = error.args[1] if len(error.args) > 1 else None
    if error.status_code >= 500:
        # The cause's kind only: what redis, grpc or pydantic say may quote the request.
        _LOG.warning("%s: %s", error.code, type(error.__cause__ or error).__name__)
        shown = error.code
    return problem(request, error.status_code, error.code, shown, retry_after_s)


def _http_answer(request: Request, error: HTTPException) -> Response:
    code = HTTPStatus(error.status_code).name.lower()
    detail = _NO_PATH if error.status_code == 404 and error.detail == "Not Found" else error.detail
    answer = problem(request, error.status_code, code, str(detail))
    answer.headers.update(error.headers or {})
    return answer
