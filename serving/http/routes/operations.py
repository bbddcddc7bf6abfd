"""What operators ask: alive, ready, metrics, status."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response
from serving.http.dependencies import Scoped
from serving.http.openapi import gives
from serving.http.schemas.operations import Health, Ready, ShopStatus
from serving.http.status import Status
from serving.shops.shop import Shops
from serving.telemetry.metrics import exposition


def add_operations(app: FastAPI, shops: Shops, status: Status, keys: Keyring) -> None:
    """Register the endpoints."""
    operator = Scoped(keys, Scope.SHOPS)

    @app.get("/healthz", openapi_extra=gives(Health))
    async def healthz() -> Response:
        """This process runs."""
        return json_response({"status": "ok"})

    not_yet = {"description": "Not ready yet.", "model": Ready}

    @app.get("/readyz", openapi_extra=gives(Ready), responses={503: not_yet})
    async def readyz() -> Response:
        """Features and model have answered once."""
        ready, detail = await status.ready()
        return json_response(detail, 200 if ready else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        """Prometheus text.

        Where there are several shops it tells of all of them, and needs a key with the scope
        `shops`.
        """
        if shops.several:
            operator.admit(request)
        return Response(exposition(), media_type=CONTENT_TYPE_LATEST)

    rank = Depends(Scoped(keys, Scope.RANK))

    @app.get("/v1/status", openapi_extra=gives(ShopStatus))
    async def get_status(caller: Annotated[Any, rank]) -> Response:
        """Versions, routes and freshness, of the shop of the key."""
        return json_response(await status.report(shops.of(caller.shop)))
