"""What endpoints ask of a request before they do anything: a key with the right scope."""

from typing import Annotated, Any

from fastapi import Path
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from serving.http.access.auth import Caller, Keyring, Scope, Sender
from serving.http.schemas.wire import Id

PathId = Annotated[Id, Path()]


class Scoped(HTTPBearer):
    """Admits requests with a key of one scope; for FastAPI a dependency and a security scheme."""

    def __init__(self, keys: Keyring, scope: Scope) -> None:
        super().__init__(scheme_name="HTTPBearer", description="An API key.", auto_error=False)
        self._keys = keys
        self._scope = scope

    async def __call__(self, request: HTTPConnection) -> Any:
        """See `admit`."""
        return self.admit(request)

    def admit(self, request: HTTPConnection) -> Caller:
        """Who sent it; raises what a key deserves that is missing, unknown or of other scopes."""
        sender = Sender(
            request.client.host if request.client else "",
            request.headers.get("origin"),
            request.query_params.get("key") if request.scope["query_string"] else None,
        )
        caller = self._keys.admit(request.headers.get("authorization"), self._scope, sender)
        request.scope["state"]["shop"] = caller.shop  # for the trace
        return caller
