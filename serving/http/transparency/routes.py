"""`GET /v1/transparency`: generated anew from the version in use and the rules in force."""

import asyncio
import html
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Response

from serving.errors import RankingError
from serving.http.access.auth import Keyring, Scope
from serving.http.bodies import json_response
from serving.http.dependencies import Scoped
from serving.http.openapi import gives
from serving.http.transparency.schemas import TransparencyOut, TransparencyQuery
from serving.http.transparency.sentences import FAMILY_NAMES, TITLES, sentences, shares
from serving.models.columns.about import About
from serving.models.columns.families import Family
from serving.ranking.explaining.phrases import LANGUAGES
from serving.ranking.explaining.reasons import language_of
from serving.shops.rules import Rules
from serving.shops.shop import Shops

_FORMS = gives(TransparencyOut)
_FORMS["responses"]["200"]["content"]["text/html"] = {
    "schema": {"type": "string"},
    "example": '<section class="vitrine-transparency" lang="en">...</section>\n',
}


def add_transparency(
    app: FastAPI,
    shops: Shops,
    about: Callable[[], About],
    keys: Keyring,
    clock: Callable[[], float],
) -> None:
    """Register it; a key needs the scope `rank`. about: of the version in use; blocks, raises a
    RankingError."""

    @app.get("/v1/transparency", openapi_extra=_FORMS)
    async def transparency(
        query: Annotated[TransparencyQuery, Query()],
        caller: Annotated[Any, Depends(Scoped(keys, Scope.RANK))],
    ) -> Response:
        """What counts in a ranking and how much, in plain sentences."""
        shop = shops.of(caller.shop)
        try:
            version: About | None = await asyncio.to_thread(about)
        except RankingError:
            version = None
        language = query.language or language_of(None, shop.language)
        told = document(language, version, shop.rules, clock())
        if query.format == "html":
            return Response(section(told), media_type="text/html; charset=utf-8")
        return json_response(told)


def document(language: str, version: About | None, rules: Rules, at_s: float) -> dict[str, Any]:
    """A TransparencyOut."""
    place, lost = LANGUAGES.index(language), version.importance if version else None
    found = shares(lost) if lost is not None else {}
    families = [family for family in found or Family if family is not Family.OTHER]
    return {
        "title": TITLES[place],
        "language": language,
        "model_version": version.version if version else None,
        "published": version.published if version else None,
        "as_of": datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds"),
        "sponsored_rules": sum(boost.sponsored for boost in rules.boosts),
        "families": [
            {
                "family": family.value,
                "name": FAMILY_NAMES[family][place],
                "share": found.get(family),
                "ndcg_lost": None if lost is None else lost.get(family),
            }
            for family in families
        ],
        "sentences": list(sentences(language, lost, rules)),
    }


def section(told: dict[str, Any]) -> str:
    """The document as a part of a page."""
    about = " · ".join(filter(None, (told["model_version"], told["published"], told["as_of"])))
    lines = "\n".join(f"  <li>{html.escape(line)}</li>" for line in told["sentences"])
    return (
        f'<section class="vitrine-transparency" lang="{told["language"]}">\n'
        f"<h2>{html.escape(told['title'])}</h2>\n<ul>\n{lines}\n</ul>\n"
        f"<p><small>{html.escape(about)}</small></p>\n</section>\n"
    )
