"""What to suggest while somebody types into a search box."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response

from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response, stages_of
from serving.http.dependencies import Scoped
from serving.http.openapi import gives
from serving.http.schemas.suggest import SuggestQuery, SuggestResponse
from serving.shops.shop import Shops
from serving.types import Stage


def add_suggest(app: FastAPI, shops: Shops, keys: Keyring) -> None:
    """Register the endpoint; a key needs the scope `rank`."""
    rank = Depends(Scoped(keys, Scope.RANK))
    # Of a large catalogue it takes milliseconds: rankings go on meanwhile.
    pool = ThreadPoolExecutor(1, thread_name_prefix="suggest")

    @app.get("/v1/suggest", openapi_extra=gives(SuggestResponse))
    async def suggest(
        request: Request, query: Annotated[SuggestQuery, Query()], caller: Annotated[Any, rank]
    ) -> Response:
        """Complete what was typed: phrases, categories, brands and items, popular first."""
        suggestions = shops.of(caller.shop).suggestions
        with stages_of(request).stage(Stage.RETRIEVE):
            found = await asyncio.get_running_loop().run_in_executor(
                pool, suggestions.suggest, query.q, query.limit
            )
        answer = {
            "suggestions": [
                {
                    "text": suggestion.text,
                    "kind": suggestion.kind.value,
                    "item_id": suggestion.item_id,
                    "category": suggestion.category,
                }
                for suggestion in found.suggestions
            ],
            "corrected": found.corrected,
        }
        return json_response(answer)
