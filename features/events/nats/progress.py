"""What a consumer says when it commits, as one message."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from features.events.nats.streams import NatsStreams, Stored


class Progress(NamedTuple):
    """What a consumer said last. seq: of that message, 0 when it has said nothing."""

    seq: int = 0
    offset: int = 0
    items: Sequence[str] = ()  # whose counters changed since the one before
    status: bytes | None = None

    def content(self) -> bytes:
        """As it is stored."""
        told = {"offset": self.offset, "items": list(self.items)}
        if self.status is not None:
            told["status"] = self.status.decode("latin-1")
        return orjson.dumps(told)


def progress_of(stored: Stored) -> Progress:
    """What was stored."""
    told = orjson.loads(stored.content)
    status = told.get("status")
    return Progress(
        stored.seq,
        told["offset"],
        told["items"],
        None if status is None else status.encode("latin-1"),
    )


def last_progress(streams: NatsStreams, consumer: str) -> Progress:
    """What `consumer` said last."""
    subject = streams.layout.subject("progress", consumer)
    return next(map(progress_of, streams.last("progress", [subject])), Progress())


def committed_by_all(streams: NatsStreams) -> int:
    """The position up to which every known consumer has read; 0 when there is none."""
    every: Iterable[Stored] = streams.last("progress", [streams.layout.every("progress")])
    return min((progress_of(stored).offset for stored in every), default=0)
