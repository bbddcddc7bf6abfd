"""Preferences of shoppers and of sessions, on the wire."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response

from serving.http.access.auth import Caller, Keyring, Scope
from serving.http.bodies import json_response, read_body
from serving.http.dependencies import PathId, Scoped
from serving.http.openapi import gives, takes
from serving.http.rights.preferences import Preferences, Whose
from serving.http.rights.schemas import PreferencesIn, PreferencesOut
from serving.shops.rights.audit import Access
from serving.shops.shop import Shops


class PreferenceRoutes:
    """The endpoints."""

    def __init__(self, shops: Shops, preferences: Preferences) -> None:
        self._shops, self._preferences = shops, preferences

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them; a key needs the scope `shoppers`."""
        shoppers = Depends(Scoped(keys, Scope.SHOPPERS))
        user, session = (
            f"/v1/{each}s/{{{each}_id:id}}/preferences" for each in ("user", "session")
        )
        told, taken = gives(PreferencesOut), takes(PreferencesIn, PreferencesOut)

        @app.get(user, openapi_extra=told)
        async def get_user_preferences(
            user_id: PathId, caller: Annotated[Any, shoppers]
        ) -> Response:
            """What a shopper has chosen, and seems to care for."""
            return await self.told(caller, user_id, None)

        @app.put(user, openapi_extra=taken)
        async def put_user_preferences(
            user_id: PathId, request: Request, caller: Annotated[Any, shoppers]
        ) -> Response:
            """Choose for a shopper: it holds in every ranking within a second."""
            return await self.chosen(caller, user_id, None, request)

        @app.get(session, openapi_extra=told)
        async def get_session_preferences(
            session_id: PathId, caller: Annotated[Any, shoppers]
        ) -> Response:
            """What a session has chosen, and seems to care for."""
            return await self.told(caller, None, session_id)

        @app.put(session, openapi_extra=taken)
        async def put_session_preferences(
            session_id: PathId, request: Request, caller: Annotated[Any, shoppers]
        ) -> Response:
            """Choose for a session: it holds in every ranking within a second."""
            return await self.chosen(caller, None, session_id, request)

    async def told(self, caller: Caller, user_id: str | None, session_id: str | None) -> Response:
        """A PreferencesOut document, and a note of it in the audit log."""
        shop = self._shops.of(caller.shop)
        whose = Whose(*shop.pseudonyms.both(user_id, session_id))
        await shop.audit.note(caller.name, Access.PREFERENCES_READ)
        return json_response(await self._preferences.told(shop, whose))

    async def chosen(
        self, caller: Caller, user_id: str | None, session_id: str | None, request: Request
    ) -> Response:
        """Keep the PreferencesIn of the request's body; what stands then, as `told`."""
        body, shop = await read_body(request, PreferencesIn), self._shops.of(caller.shop)
        whose = Whose(*shop.pseudonyms.both(user_id, session_id))
        await shop.audit.note(caller.name, Access.PREFERENCES_CHANGED)
        await self._preferences.choose(shop, whose, body)
        return json_response(await self._preferences.told(shop, whose))
