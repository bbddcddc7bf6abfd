"""Endpoints that are answered without FastAPI, and documented by it."""

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from serving.errors import InvalidRequestError
from serving.http.access.auth import ApiKey, Keyring, Scope, hash_key
from serving.http.dependencies import Scoped
from serving.http.direct import Direct, caller_of, direct

KEYS = Keyring([ApiKey(name="shop", sha256=hash_key("secret"), scopes=frozenset({Scope.RANK}))])


def documented() -> FastAPI:
    app = FastAPI()

    @direct(app, "/order", Scoped(KEYS, Scope.RANK))
    async def order(request: Request) -> Response:
        """Put in order."""
        if await request.body() == b"bad":
            raise InvalidRequestError("body: bad")
        return PlainTextResponse(caller_of(request).name)

    return app


async def elsewhere(scope: Asgi, receive: Receive, send: Send) -> None:
    await PlainTextResponse("elsewhere")(scope, receive, send)


async def answered(
    method: str, path: str, body: bytes = b"", key: str = "secret"
) -> httpx.Response:
    routes = Direct(elsewhere, documented().routes)

    async def app(scope: Asgi, receive: Receive, send: Send) -> None:
        await routes({**scope, "state": {}}, receive, send)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        headers = {"authorization": f"Bearer {key}"}
        return await client.request(method, path, content=body, headers=headers)


async def test_a_direct_endpoint_is_answered_without_the_application_around_it() -> None:
    answer = await answered("POST", "/order")
    assert (answer.status_code, answer.text) == (200, "shop")


@pytest.mark.parametrize(("method", "path"), [("GET", "/order"), ("POST", "/order/")])
async def test_another_method_or_path_goes_on(method: str, path: str) -> None:
    assert (await answered(method, path)).text == "elsewhere"


async def test_an_unknown_key_is_refused() -> None:
    answer = await answered("POST", "/order", b"bad", key="wrong")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_an_error_is_told_as_a_problem() -> None:
    answer = await answered("POST", "/order", b"bad")
    assert (answer.status_code, answer.json()["detail"]) == (422, "body: bad")


def test_fastapi_documents_the_key_that_is_needed() -> None:
    assert documented().openapi()["paths"]["/order"]["post"]["security"] == [{"HTTPBearer": []}]
