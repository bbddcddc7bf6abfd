"""A body on its way in: within its limit, and decompressed when it was sent compressed.

Both happen while it is read, so nobody's body is taken in before his key was looked at, and a
small one that would become a huge one (a zip bomb) ends at the limit.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from serving.errors import BodyTooLargeError, MalformedBodyError

_STEP = 256 * 1024  # bytes made of compressed ones at a time: bounds what a stream holds
_EITHER_HEADER = 32 + zlib.MAX_WBITS  # gzip's or zlib's (HTTP's "deflate"), whichever is there
_ENCODINGS = ("gzip", "x-gzip", "deflate")


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bytes of a body, as it is after decompression; None: a stream of any length."""

    usual: int
    by_path: Mapping[str, int | None] = field(default_factory=dict)
    pictures: int | None = None  # of an item; None: as usual

    def of(self, path: str) -> int | None:
        """The limit for requests to `path`."""
        if self.pictures is not None and path.endswith("/image"):
            return self.pictures
        return self.by_path.get(path, self.usual)


def bounded(headers: Headers, receive: Receive, limit: int | None) -> Receive:
    """A `receive` that decompresses, and refuses a body over the limit whatever it declares.

    It raises BodyTooLargeError, MalformedBodyError, or a 415 for another encoding.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    plain = receive if encoding in ("", "identity") else _decompressed(encoding, receive)
    if limit is None:
        return plain
    declared = headers.get("content-length", "")
    too_long = declared.isdecimal() and (len(declared) > 18 or int(declared) > limit)
    received = 0

    async def within() -> Message:
        nonlocal received
        if too_long:
            raise BodyTooLargeError(f"a body may have {limit} bytes")
        message = await plain()
        received += len(message.get("body", b""))
        if received > limit:
            raise BodyTooLargeError(f"a body may have {limit} bytes")
        return message

    return within


def _decompressed(encoding: str, receive: Receive) -> Receive:
    inflating = zlib.decompressobj(_EITHER_HEADER)
    waiting, more, full, done = b"", True, False, False

    async def step() -> Message:
        nonlocal inflating, waiting, more, full, done
        if encoding not in _ENCODINGS:
            raise HTTPException(
                415,
                f"content-encoding: {encoding[:32]} is not understood, gzip and deflate are",
                {"accept-encoding": "gzip, deflate"},
            )
        while not done:
            if not waiting and not full:
                if not more:
                    break
                message = await receive()
                if message["type"] != "http.request":
                    return message
                waiting, more = message.get("body", b""), message.get("more_body", False)
                continue
            if inflating.eof:  # compressed files may follow each other
                inflating = zlib.decompressobj(_EITHER_HEADER)
            try:
                out = inflating.decompress(waiting, _STEP)
            except zlib.error:
                raise MalformedBodyError("the body is not what its content-encoding says") from None
            full = len(out) == _STEP and not inflating.eof  # there may be more of what was taken in
            waiting = inflating.unused_data if inflating.eof else inflating.unconsumed_tail
            if out:
                return {"type": "http.request", "body": out, "more_body": True}
        if done:
            return await receive()
        if not inflating.eof:
            raise MalformedBodyError("the compressed body ends too soon")
        done = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return step
