"""A catalogue as it comes: one item a line, any number of lines, and never many in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from pydantic import BaseModel

from serving.http.openapi import ref
from serving.http.routes.item_changes import judge
from serving.http.schemas.events import RejectedLine
from serving.http.schemas.items import ImportResponse, ItemIn
from serving.shops.shop import Shop, Shops

_BATCH_LINES = 500  # written at once
_BATCH_BYTES = 4 * 1024 * 1024
MOST_ERRORS = 100  # told; the others are counted
NDJSON = "application/x-ndjson"


def lines_of(line: type[BaseModel]) -> dict[str, Any]:
    """The schema of NDJSON: bytes to generators of clients; what a line holds is for readers."""
    return {
        "type": "string", "format": "binary", "description": f"One {line.__name__} a line.",
        "contentMediaType": NDJSON, "contentSchema": ref(line),
    }  # fmt: skip


class ItemImport:
    """Takes NDJSON; each line is judged alone. max_line: bytes of a line."""

    def __init__(self, max_line: int, clock: Callable[[], float]) -> None:
        self._max_line = max_line
        self._clock = clock
        answer = {"description": "Done.", "content": {"application/json": {
            "schema": ref(ImportResponse)}}}  # fmt: skip
        body = {"required": True, "content": {NDJSON: {"schema": lines_of(ItemIn)}}}
        self.document: dict[str, Any] = {"requestBody": body, "responses": {"200": answer}}

    async def take(self, stream: AsyncIterator[bytes], shop: Shop, shops: Shops) -> ImportResponse:
        """Write items as they come. Of a stream that breaks off, what was written stays.

        shops: that `shop` is one of; it may be opened anew meanwhile. Raises ConflictError when it
        is removed.
        """
        accepted = rejected = 0
        errors: list[RejectedLine] = []
        async for batch in batches(lines(stream, self._max_line)):
            shop = shops.now(shop)
            good = [(number, line) for number, line in batch if line is not None]
            prices = shop.items.table.prices
            judged = await asyncio.to_thread(judge, ItemIn, good, prices, self._clock())
            for number, line in batch:
                if line is None:
                    detail = f"longer than {self._max_line} bytes"
                    judged.refused[number] = ("line_too_long", detail)
            accepted += await judged.write(shop.upkeep)
            rejected += len(judged.refused)
            errors += [
                RejectedLine(line=number, code=code, detail=detail)
                for number, (code, detail) in sorted(judged.refused.items())
            ][: MOST_ERRORS - len(errors)]
        return ImportResponse(accepted=accepted, rejected=rejected, errors=errors)


async def lines(
    stream: AsyncIterator[bytes], max_line: int
) -> AsyncIterator[tuple[int, bytes | None]]:
    """Numbered lines that hold something; None for one of more than `max_line` bytes."""
    number, rest, too_long = 1, b"", False
    async for chunk in stream:
        *whole, last = chunk.split(b"\n")
        for part in whole:
            line = rest + part
            if too_long or len(line) > max_line:
                yield number, None
            elif kept := _content(number, line):
                yield number, kept
            number, rest, too_long = number + 1, b"", False
        rest += last
        if len(rest) > max_line:
            rest, too_long = b"", True
    if too_long:
        yield number, None
    elif kept := _content(number, rest):
        yield number, kept


async def batches(
    numbered: AsyncIterator[tuple[int, bytes | None]],
) -> AsyncIterator[list[tuple[int, bytes | None]]]:
    """As many lines together as are worth one write."""
    batch: list[tuple[int, bytes | None]] = []
    size = 0
    async for number, line in numbered:
        batch.append((number, line))
        size += len(line or b"")
        if len(batch) >= _BATCH_LINES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _content(number: int, line: bytes) -> bytes:
    """Without what some editors write: a byte order mark, and the other half of a line's end."""
    return (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
