"""A shopper's features and erasure: an administrator's questions."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Response

from serving.http.auth import Keyring, Scope
from serving.http.bodies import json_response
from serving.http.dependencies import PathId, Scoped
from serving.http.openapi import gives
from serving.http.schemas.users import UserFeatures
from serving.http.status import Status
from serving.shops.shop import Shops


def add_erasure(app: FastAPI, shops: Shops, keys: Keyring) -> None:
    """Register the endpoint; a key needs the scope `admin`."""
    admin = Depends(Scoped(keys, Scope.ADMIN))

    @app.delete("/v1/users/{user_id:id}", status_code=202)
    async def erase_user(user_id: PathId, caller: Annotated[Any, admin]) -> Response:
        """Erase a shopper's events, features and rankings everywhere."""
        shop = shops.of(caller.shop)
        pseudonym = shop.pseudonyms.user(user_id)
        assert pseudonym is not None
        await shop.intake.erase_user(pseudonym)
        return json_response({"accepted": 1}, 202)


def add_user_features(app: FastAPI, shops: Shops, status: Status, keys: Keyring) -> None:
    """Register the endpoint; a key needs the scope `admin`."""
    admin = Depends(Scoped(keys, Scope.ADMIN))

    @app.get("/v1/users/{user_id:id}/features", openapi_extra=gives(UserFeatures))
    async def user_features(user_id: PathId, caller: Annotated[Any, admin]) -> Response:
        """What the ranker knows of a shopper."""
        return json_response(await status.user_features(shops.of(caller.shop), user_id))
