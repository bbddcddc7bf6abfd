"""The demo shop's server side: what a storefront's server would ask for who is signed in.

Preferences and copies need the scope `shoppers`, which no browser may have. The demo's page has a
browser's key, and knows no passwords. So these routes act for shoppers that cannot be anybody else:
those whose id the demo made, which its mark proves, and those that the settings name. Whoever holds
such an id may act for it, as with a session's.
"""

import asyncio
import secrets
from collections.abc import Collection
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response

from features.controls.shops import DEFAULT_SHOP
from serving.errors import ForbiddenError, OverloadedError
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response
from serving.http.dependencies import PathId, Scoped
from serving.http.rights.data import DataRoutes
from serving.http.rights.export import Form
from serving.http.rights.routes import PreferenceRoutes
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.shop import Shops

_BEGIN, _DIGITS = "demo-", 16


class NotTheDemosError(ForbiddenError):
    """The demo shop acts for shoppers of its own alone."""

    code = "not_the_demos"


class DemoShoppers:
    """Whom the demo acts for."""

    def __init__(self, shops: Shops, named: Collection[str] = ()) -> None:
        """named: ids of the default shop, of its data set say, that anybody may act for."""
        self._shops, self._named = shops, frozenset(named)

    def new(self, shop: str) -> str:
        """An id that nobody has and nobody can guess."""
        name = secrets.token_hex(_DIGITS // 2)
        return f"{_BEGIN}{name}{self._pseudonyms(shop).demo_mark(name)}"

    def check(self, shop: str, user_id: str) -> None:
        """Raises NotTheDemosError for the id of anybody else."""
        if shop == DEFAULT_SHOP and user_id in self._named:
            return
        begin, name, mark = (
            user_id[: len(_BEGIN)],
            user_id[len(_BEGIN) : len(_BEGIN) + _DIGITS],
            user_id[len(_BEGIN) + _DIGITS :],
        )
        expected = self._pseudonyms(shop).demo_mark(name)
        if begin != _BEGIN or not secrets.compare_digest(mark.encode(), expected.encode()):
            raise NotTheDemosError("the demo acts for shoppers of its own alone")

    def _pseudonyms(self, shop: str) -> Pseudonyms:
        return self._shops.of(shop).pseudonyms


class DemoRights:
    """The endpoints, beneath `/demo`; they are no part of the API."""

    def __init__(
        self, shoppers: DemoShoppers, preferences: PreferenceRoutes, data: DataRoutes
    ) -> None:
        self._shoppers, self._preferences, self._data = shoppers, preferences, data
        self._copying = asyncio.Lock()  # a copy walks the whole log: one at a time

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them: who reads needs the scope `rank`, who changes anything `events`."""
        reads, writes = Depends(Scoped(keys, Scope.RANK)), Depends(Scoped(keys, Scope.EVENTS))
        one = "/demo/shoppers/{user_id:id}"

        @app.post("/demo/shoppers", include_in_schema=False)
        async def make_demo_shopper(caller: Annotated[Any, reads]) -> Response:
            """A new shopper of the demo."""
            return json_response({"user_id": self._shoppers.new(caller.shop)})

        @app.get(one, include_in_schema=False)
        async def get_demo_shopper(user_id: PathId, caller: Annotated[Any, reads]) -> Response:
            """Whether the demo acts for a shopper; nothing else of the shopper is told."""
            try:
                self._shoppers.check(caller.shop, user_id)
            except NotTheDemosError:
                return json_response({"own": False})
            return json_response({"own": True})

        @app.get(f"{one}/preferences", include_in_schema=False)
        async def get_demo_preferences(user_id: PathId, caller: Annotated[Any, reads]) -> Response:
            """As GET /v1/users/{user_id}/preferences."""
            self._shoppers.check(caller.shop, user_id)
            return await self._preferences.told(caller, user_id, None)

        @app.put(f"{one}/preferences", include_in_schema=False)
        async def put_demo_preferences(
            user_id: PathId, request: Request, caller: Annotated[Any, writes]
        ) -> Response:
            """As PUT /v1/users/{user_id}/preferences."""
            self._shoppers.check(caller.shop, user_id)
            return await self._preferences.chosen(caller, user_id, None, request)

        @app.get(f"{one}/export", include_in_schema=False)
        async def export_demo_shopper(user_id: PathId, caller: Annotated[Any, reads]) -> Response:
            """As GET /v1/users/{user_id}/export, whole and as JSON lines."""
            self._shoppers.check(caller.shop, user_id)
            if self._copying.locked():
                raise OverloadedError("another copy is being made", 5)
            async with self._copying:
                # Whole: it is of one shopper, and a browser cannot go on where a copy broke off.
                lines = [part async for part in await self._data.copy(caller, user_id, Form.JSON)]
            return Response(b"".join(lines), media_type=Form.JSON.media)
