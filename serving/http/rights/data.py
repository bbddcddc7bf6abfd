"""A shopper's copy, what became of an erasure, and who looked at shoppers' data."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Query, Response
from starlette.responses import StreamingResponse

from serving.http.access.auth import Caller, Keyring, Scope
from serving.http.bodies import json_response
from serving.http.dependencies import PathId, Scoped
from serving.http.openapi import gives
from serving.http.rights import export
from serving.http.rights.preferences import Preferences, Whose
from serving.http.rights.schemas import AuditOut, ErasureOut
from serving.http.schemas.wire import Id
from serving.http.status import Status
from serving.shops.rights.audit import Access
from serving.shops.shop import Shop, Shops

_TABLE = (
    "kind,cursor,at,type,item_id,query,ranking_id,position,value,session,experiment,variant,more\n"
    "event,events:812,2026-09-21T14:12:20Z,view,milk,,,,,,,,\n"
)
_LINES = {
    "responses": {
        "200": {
            "description": "Lines, as they are found.",
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}, "example": _TABLE},
            },
        }
    }
}


class DataRoutes:
    """The endpoints."""

    def __init__(
        self, shops: Shops, status: Status, preferences: Preferences, archived: bool = False
    ) -> None:
        """archived: the installation has an archive, which copies leave out."""
        self._shops, self._status, self._preferences = shops, status, preferences
        self._archived = archived

    def add_to(self, app: FastAPI, keys: Keyring) -> None:
        """Register them: a copy needs the scope `shoppers`, all else `admin`."""
        admin = Depends(Scoped(keys, Scope.ADMIN))

        @app.get(
            "/v1/users/{user_id:id}/export",
            openapi_extra=_LINES,
            response_class=StreamingResponse,
        )
        async def export_user(
            user_id: PathId,
            caller: Annotated[Any, Depends(Scoped(keys, Scope.SHOPPERS))],
            form: Annotated[Literal["jsonl", "csv"], Query(alias="format")] = "jsonl",
            cursor: Annotated[str | None, Query(max_length=64)] = None,
        ) -> Response:
            """A copy of all that is kept of a shopper, as JSON lines or CSV.

            Preferences and features, then events, rankings and arms of experiments, and a line
            of the kind `end`, with what is kept elsewhere (`left_out`). A stream that broke off
            goes on behind the `cursor` of its last line.
            """
            written = export.Form(form)
            lines = await self.copy(caller, user_id, written, cursor)
            return StreamingResponse(lines, media_type=written.media)

        @app.get("/v1/erasures/{receipt}", openapi_extra=gives(ErasureOut))
        async def get_erasure(
            receipt: Annotated[str, Path(max_length=64)],
            caller: Annotated[Any, admin],
            user_id: Annotated[Id | None, Query()] = None,
        ) -> Response:
            """What of an erasure is done, and by when the rest is.

            With `user_id` it is told whether the receipt is of this shopper.
            """
            shop = self._shops.of(caller.shop)
            erased, folded = await shop.erasures.of(receipt)
            pseudonym = shop.pseudonyms.user(user_id)
            return json_response(
                {
                    "receipt": erased.receipt,
                    "at": datetime.fromtimestamp(erased.at_ms / 1_000, UTC),
                    "of_user": pseudonym and shop.erasures.is_of(erased, pseudonym),
                    "parts": [
                        {
                            "what": part.what,
                            "done": part.done,
                            "due_at": datetime.fromtimestamp(part.due_s, UTC),
                        }
                        for part in erased.parts(folded, shop.rules.rights)
                    ],
                }
            )

        @app.get("/v1/audit", openapi_extra=gives(AuditOut))
        async def list_accesses(
            caller: Annotated[Any, admin], day: Annotated[date | None, Query()] = None
        ) -> Response:
            """Who had a shopper's data on a day (UTC; left out: today), and of which kind."""
            shop = self._shops.of(caller.shop)
            asked = day or datetime.now(UTC).date()
            entries = await shop.audit.of(asked)
            return json_response({"day": asked.isoformat(), "entries": entries})

    async def copy(
        self, caller: Caller, user_id: str, form: export.Form, cursor: str | None = None
    ) -> AsyncIterator[bytes]:
        """A shopper's copy from a cursor on, and a note of it in the audit log."""
        shop = self._shops.of(caller.shop)
        part, seq = export.begun(cursor)
        await shop.audit.note(caller.name, Access.EXPORT)
        first = [] if cursor else await self._known(shop, user_id)
        pseudonym = shop.pseudonyms.user(user_id)
        assert pseudonym is not None
        found = export.pages(shop.log, pseudonym, part, seq, self._archived)
        return _streamed(found, form, first)

    async def _known(self, shop: Shop, user_id: str) -> list[dict[str, Any]]:
        whose = Whose(shop.pseudonyms.user(user_id), None)
        return [
            {"kind": "preferences", **await self._preferences.told(shop, whose)},
            {"kind": "features", **await self._status.user_features(shop, user_id)},
        ]


async def _streamed(
    found: Iterator[list[dict[str, Any]]], form: export.Form, first: list[dict[str, Any]]
) -> AsyncIterator[bytes]:
    yield export.head(form) + export.written(first, form)
    while (lines := await asyncio.to_thread(next, found, None)) is not None:
        if lines:
            yield export.written(lines, form)
