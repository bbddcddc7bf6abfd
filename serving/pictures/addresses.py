"""Where a picture may be fetched from: a URL on the list, and no address inside this network.

A name is resolved once, its addresses are checked, and the connection goes to one of them: nobody
asks the name again, so it cannot lead elsewhere meanwhile (DNS rebinding).
"""

import ipaddress
import socket
from collections.abc import Sequence

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from serving.addresses import Address, is_public
from serving.pictures.problems import PictureError, PictureProblem


def checked_url(text: str, hosts: Sequence[str], private: bool) -> URL:
    """The URL, if it may be fetched; raises PictureError."""
    try:
        url = URL(text)
        host, port = (url.host or "").lower().rstrip("."), url.port
    except ValueError:
        raise _not_allowed() from None
    if url.scheme not in ("http", "https") or not host or url.user or url.password:
        raise _not_allowed()
    named = host if url.is_default_port() else f"{host}:{port}"
    if not any(_covers(entry, named) for entry in hosts):
        raise _not_allowed()
    # A connection to an address that stands in the URL itself asks no resolver.
    literal = _address(host)
    if literal is not None and not (private or is_public(literal)):
        raise _inside()
    return url.with_fragment(None)


class CheckedResolver(AbstractResolver):
    """Names to public addresses only. A name that stands for any other is refused as a whole."""

    def __init__(self, private: bool, inner: AbstractResolver | None = None) -> None:
        """private: addresses inside will do, too."""
        self._private = private
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises PictureError for an address inside, OSError for a name that has none."""
        found = await self._inner.resolve(host, port, family)
        for each in found:
            address = _address(each["host"])
            if not self._private and (address is None or not is_public(address)):
                raise _inside()
        return found

    async def close(self) -> None:
        """Give back what the resolver holds."""
        await self._inner.close()


def _covers(entry: str, named: str) -> bool:
    if entry.startswith("*."):
        return named.endswith(entry[1:])
    return entry == named


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return None


def _not_allowed() -> PictureError:
    return PictureError(PictureProblem.HOST_NOT_ALLOWED)


def _inside() -> PictureError:
    return PictureError(PictureProblem.ADDRESS_NOT_ALLOWED)
