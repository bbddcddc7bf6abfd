"""HTTP in and out. No logic: each endpoint authenticates, validates, calls one thing, answers.

Bodies are validated by pydantic straight from the bytes, after the key was checked: a stranger's
body is never parsed, and JSON is read once.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import TypeAdapter, ValidationError
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import HTTPConnection

from serving.http.auth import Keyring, Scope
from serving.http.bodies import add_error_answers, invalid, read_body, stages_of
from serving.http.middleware import Envelope
from serving.http.openapi import document, gives, takes
from serving.http.pages import add_docs, add_pages
from serving.http.schemas.rankings import (
    EventsRequest,
    EventsResponse,
    Id,
    ItemsRequest,
    RankRequest,
    RankResponse,
    RecommendRequest,
    SearchRequest,
    SimilarQuery,
    UserFeatures,
)
from serving.http.schemas.rerank import DocumentsRerank, TextsRerank
from serving.http.status import Status
from serving.ranking.rerank import Rerank
from serving.ranking.sources import Rankings
from serving.shops.intake import Intake
from serving.shops.items import ItemCache
from serving.telemetry.metrics import exposition
from serving.telemetry.stages import LateTraces

_RERANK: TypeAdapter[TextsRerank | DocumentsRerank] = TypeAdapter(TextsRerank | DocumentsRerank)

ItemId = Annotated[Id, Path()]
UserId = Annotated[Id, Path()]


class _IdConvertor(Convertor[str]):
    """An id in a path: any characters, since `a/b` and a line break may stand in an id, too."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", _IdConvertor())


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the HTTP layer calls."""

    rankings: Rankings
    intake: Intake
    rerank: Rerank
    status: Status
    keys: Keyring
    max_body_bytes: int
    late_traces: LateTraces | None = None
    demo_items: ItemCache | None = None  # for the demo shop; None: there is none


def http_app(endpoints: Endpoints, traced: bool = False) -> FastAPI:
    """The ASGI application over `endpoints`. traced: see Envelope's `decided`."""
    app = FastAPI(
        title="Vitrine",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # Envelope has span and metrics; FastAPI's own would tell paths, and so raw user ids.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        redirect_slashes=False,  # a redirect would go to whatever host the caller named
    )
    app.add_middleware(
        Envelope,
        max_body_bytes=endpoints.max_body_bytes,
        late_traces=endpoints.late_traces,
        decided=traced,
    )
    add_error_answers(app)
    _add_rankings(app, endpoints)
    _add_intake(app, endpoints)
    _add_operations(app, endpoints)
    add_docs(app)
    if endpoints.demo_items is not None:
        add_pages(app, endpoints.demo_items, endpoints.keys)
    schema = document(app)
    app.openapi = lambda: schema  # type: ignore[method-assign]
    app.openapi_url = "/openapi.json"
    app.setup()
    return app


def _add_rankings(app: FastAPI, endpoints: Endpoints) -> None:
    rank = Depends(_Scoped(endpoints.keys, Scope.RANK))
    rankings = endpoints.rankings

    @app.post("/v1/rank", dependencies=[rank], openapi_extra=takes(RankRequest, RankResponse))
    async def rank_candidates(request: Request) -> Response:
        """Put the given candidates in the best order for this shopper."""
        stages = stages_of(request)
        return _json(await rankings.rank(await read_body(request, RankRequest), stages))

    @app.post("/v1/search", dependencies=[rank], openapi_extra=takes(SearchRequest, RankResponse))
    async def search(request: Request) -> Response:
        """Find items for a query and rank them for this shopper."""
        stages = stages_of(request)
        return _json(await rankings.search(await read_body(request, SearchRequest), stages))

    @app.post(
        "/v1/recommend", dependencies=[rank], openapi_extra=takes(RecommendRequest, RankResponse)
    )
    async def recommend(request: Request) -> Response:
        """Choose items for this shopper and rank them."""
        stages = stages_of(request)
        return _json(await rankings.recommend(await read_body(request, RecommendRequest), stages))

    @app.get(
        "/v1/items/{item_id:id}/similar", dependencies=[rank], openapi_extra=gives(RankResponse)
    )
    async def similar(
        request: Request, item_id: ItemId, asked: Annotated[SimilarQuery, Query()]
    ) -> Response:
        """Items like this one."""
        return _json(await rankings.similar(item_id, asked.limit, stages_of(request)))

    async def rerank(request: Request) -> Response:
        """Score free texts: the dialects of text-embeddings-inference and of Cohere and Jina."""
        body = await request.body()
        try:
            asked = _RERANK.validate_json(body)
        except ValidationError as error:
            dialect = TextsRerank if b'"texts"' in body else DocumentsRerank
            raise invalid(error, dialect.__name__) from None
        if isinstance(asked, TextsRerank):
            answer: Any
            answer, route = await endpoints.rerank.texts(asked)
        else:
            answer, route = await endpoints.rerank.documents(asked, request.state.request_id)
        return _json(answer, headers={"x-vitrine-route": route.value})

    extra = takes(TextsRerank, None, DocumentsRerank)
    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        app.post(path, dependencies=[rank], openapi_extra=extra)(rerank)


def _add_intake(app: FastAPI, endpoints: Endpoints) -> None:
    intake = endpoints.intake
    events = Depends(_Scoped(endpoints.keys, Scope.EVENTS))
    items = Depends(_Scoped(endpoints.keys, Scope.ITEMS))
    admin = Depends(_Scoped(endpoints.keys, Scope.ADMIN))

    @app.post(
        "/v1/events",
        status_code=202,
        dependencies=[events],
        openapi_extra=takes(EventsRequest, EventsResponse, status=202),
    )
    async def post_events(request: Request) -> Response:
        """Take behaviour events; those accepted are durable when this answers."""
        taken = await intake.events(await read_body(request, EventsRequest))
        return _json(taken.model_dump(), 202)

    @app.put(
        "/v1/items",
        status_code=202,
        dependencies=[items],
        openapi_extra=takes(ItemsRequest, None, status=202),
    )
    async def put_items(request: Request) -> Response:
        """Add or replace items; rankable within 60 s."""
        return _json({"accepted": await intake.items(await read_body(request, ItemsRequest))}, 202)

    @app.delete("/v1/items/{item_id:id}", status_code=204, dependencies=[items])
    async def delete_item(item_id: ItemId) -> Response:
        """Never rank this item again."""
        await intake.delete_item(item_id)
        return Response(status_code=204)

    @app.delete("/v1/users/{user_id:id}", status_code=202, dependencies=[admin])
    async def erase_user(user_id: UserId) -> Response:
        """Erase a shopper's events, features and rankings everywhere."""
        await intake.erase_user(user_id)
        return _json({"accepted": 1}, 202)


def _add_operations(app: FastAPI, endpoints: Endpoints) -> None:
    status = endpoints.status
    admin = Depends(_Scoped(endpoints.keys, Scope.ADMIN))

    @app.get(
        "/v1/users/{user_id:id}/features",
        dependencies=[admin],
        openapi_extra=gives(UserFeatures),
    )
    async def user_features(user_id: UserId) -> Response:
        """What the ranker knows of a shopper."""
        return _json(await status.user_features(user_id))

    @app.get("/healthz")
    async def healthz() -> Response:
        """This process runs."""
        return _json({"status": "ok"})

    @app.get("/readyz", responses={503: {"description": "Not ready yet."}})
    async def readyz() -> Response:
        """Features and model have answered once."""
        ready, detail = await status.ready()
        return _json(detail, 200 if ready else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Prometheus text."""
        return Response(exposition(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/status", dependencies=[Depends(_Scoped(endpoints.keys, Scope.RANK))])
    async def get_status() -> Response:
        """Versions, routes and freshness."""
        return _json(await status.report())


class _Scoped(HTTPBearer):
    """Admits requests with a key of one scope; for FastAPI a dependency and a security scheme."""

    def __init__(self, keys: Keyring, scope: Scope) -> None:
        super().__init__(scheme_name="HTTPBearer", description="An API key.", auto_error=False)
        self._keys = keys
        self._scope = scope

    async def __call__(self, request: HTTPConnection) -> None:
        """Raise what a key deserves that is missing, unknown or of other scopes."""
        self._keys.admit(request.headers.get("authorization"), self._scope)


def _json(content: Any, status_code: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status_code, headers, "application/json")
