"""A shopper's features and erasure: an administrator's questions."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response

from features.events.event import sign_in
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import PathId, Scoped
from serving.http.openapi import gives, takes
from serving.http.rights.schemas import ErasureTaken
from serving.http.schemas.operations import Accepted
from serving.http.schemas.users import MergeRequest, UserFeatures
from serving.http.status import Status
from serving.shops.rights.audit import Access
from serving.shops.shop import Shops


def add_erasure(app: FastAPI, shops: Shops, keys: Keyring) -> None:
    """Register the endpoint; a key needs the scope `admin`."""
    admin = Depends(Scoped(keys, Scope.ADMIN))

    @app.delete("/v1/users/{user_id:id}", status_code=202, openapi_extra=gives(ErasureTaken, 202))
    async def erase_user(user_id: PathId, caller: Annotated[Any, admin]) -> Response:
        """Erase a shopper's events, features and rankings everywhere.

        The receipt tells what of it is done: `GET /v1/erasures/{receipt}`.
        """
        shop = shops.of(caller.shop)
        pseudonym = shop.pseudonyms.user(user_id)
        assert pseudonym is not None
        await shop.audit.note(caller.name, Access.ERASURE)
        seq = await shop.intake.erase_user(pseudonym)
        erased = await shop.erasures.receipt(pseudonym, seq)
        return json_response({"accepted": 1, "receipt": erased.receipt}, 202)


def add_merge(app: FastAPI, shops: Shops, keys: Keyring, clock: Callable[[], float]) -> None:
    """Register the endpoint; a key needs the scope `events`."""
    events = Depends(Scoped(keys, Scope.EVENTS))

    @app.post(
        "/v1/users/{user_id:id}/merge",
        status_code=202,
        openapi_extra=takes(MergeRequest, Accepted, status=202),
    )
    async def merge(user_id: PathId, request: Request, caller: Annotated[Any, events]) -> Response:
        """Count what a session has done for a user, unless it is another user's already.

        Of a user or session who chose that nothing is learnt, nothing is taken.
        """
        body = await read_body(request, MergeRequest)
        shop = shops.of(caller.shop)
        user, session = shop.pseudonyms.user(user_id), shop.pseudonyms.session(body.session_id)
        assert user is not None
        assert session is not None
        learnt = shop.choices.of(user, session).learnt
        if learnt:
            await shop.intake.append([sign_in(user, session, clock())])
        return json_response({"accepted": int(learnt)}, 202)


def add_user_features(app: FastAPI, shops: Shops, status: Status, keys: Keyring) -> None:
    """Register the endpoint; a key needs the scope `admin`."""
    admin = Depends(Scoped(keys, Scope.ADMIN))

    @app.get("/v1/users/{user_id:id}/features", openapi_extra=gives(UserFeatures))
    async def user_features(user_id: PathId, caller: Annotated[Any, admin]) -> Response:
        """What the ranker knows of a shopper."""
        shop = shops.of(caller.shop)
        await shop.audit.note(caller.name, Access.FEATURES)
        return json_response(await status.user_features(shop, user_id))
