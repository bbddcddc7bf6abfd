"""Paths as they are routed: an id is one segment of a path, whatever stands in it."""

from urllib.parse import quote, unquote_to_bytes

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import Scope

from serving.errors import InvalidRequestError


def routed_path(scope: Scope) -> str:
    """The path of a request, decoded but for a slash and a percent sign inside of a segment.

    So `/v1/items/a%2Fb` is the item `a/b`, `/v1/items/a/b` nothing, and `/v1/items/a/` not `a`.
    Raises InvalidRequestError for what is no UTF-8: another item must not be met instead.
    """
    raw: bytes | None = scope.get("raw_path")
    if raw is None or b"%" not in raw:
        path: str = scope["path"]
        return path
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in raw.split(b"/")]
    except UnicodeDecodeError:
        raise InvalidRequestError("path: not UTF-8") from None
    return "/".join(segment.replace("%", "%25").replace("/", "%2F") for segment in segments)


class _IdConvertor(Convertor[str]):
    """An id in a path that `routed_path` made."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace("%2F", "/").replace("%25", "%")

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("id", _IdConvertor())
