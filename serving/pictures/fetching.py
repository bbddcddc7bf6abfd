"""Pictures over HTTP, from where the shop allows it, and no longer and no larger than that."""

import asyncio
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from serving.pictures.addresses import CheckedResolver, checked_url
from serving.pictures.problems import PictureError, PictureProblem
from serving.pictures.settings import FetchSettings

_HEADERS = {
    "accept": "image/webp, image/jpeg, image/png",
    "accept-encoding": "identity",  # a small answer must not unfold before its bytes are counted
    "user-agent": "vitrine-pictures",
}
_STEP = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (404, 410)
_LATER = (408, 425, 429, *range(500, 600))


class Fetcher:
    """Fetches; belongs to the event loop that it is opened on."""

    def __init__(
        self, settings: FetchSettings, max_bytes: int, resolver: AbstractResolver | None = None
    ) -> None:
        """resolver: of names; its answers are checked; None: the system's."""
        self._settings = settings
        self._max_bytes = max_bytes
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=CheckedResolver(settings.private, resolver),
                use_dns_cache=False,
                limit=settings.at_once,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
            # No proxy of the environment: it would resolve names by itself.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def fetch(self, url: str) -> bytes:
        """What stands at `url`; raises PictureError, which says whether to come again."""
        settings = self._settings
        at = checked_url(url, settings.hosts, settings.private)
        try:
            async with asyncio.timeout(settings.total_s):
                for _ in range(settings.max_redirects + 1):
                    content = await self._get(at)
                    if isinstance(content, bytes):
                        return content
                    at = checked_url(str(content), settings.hosts, settings.private)
        except TimeoutError:
            raise PictureError(PictureProblem.TOO_SLOW, retry=True) from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise PictureError(PictureProblem.UNREACHABLE, retry=True) from None
        raise PictureError(PictureProblem.TOO_MANY_REDIRECTS)

    async def _get(self, url: URL) -> bytes | URL:
        """The content, or where it is said to be."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._settings.connect_s)
        async with self._session.get(url, allow_redirects=False, timeout=timeout) as answer:
            if answer.status in _REDIRECTS:
                place = answer.headers.get("location")
                if not place:
                    raise PictureError(PictureProblem.REFUSED)
                return url.join(URL(place))
            if answer.status in _GONE:
                raise PictureError(PictureProblem.NOT_FOUND, retry=True)
            if answer.status != 200:
                raise PictureError(PictureProblem.REFUSED, retry=answer.status in _LATER)
            kind = answer.headers.get("content-type", "").lower()
            packed = answer.headers.get("content-encoding", "identity").lower()
            if kind.startswith("text/") or packed != "identity":
                raise PictureError(PictureProblem.NOT_A_PICTURE)
            if (answer.content_length or 0) > self._max_bytes:
                raise PictureError(PictureProblem.TOO_MANY_BYTES)
            content = bytearray()
            async for part in answer.content.iter_chunked(_STEP):
                content += part
                if len(content) > self._max_bytes:
                    raise PictureError(PictureProblem.TOO_MANY_BYTES)
            return bytes(content)
