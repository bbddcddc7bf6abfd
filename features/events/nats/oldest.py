"""The oldest entries of the log, which go first: by age, and by bytes."""

from features.events.nats.layout import STREAMS, Kind
from features.events.nats.progress import committed_by_all
from features.events.nats.streams import NatsStreams


def drop_oldest(streams: NatsStreams, kind: Kind, before_seq: int, limit: int) -> int:
    """Delete up to `limit` of the oldest entries below `before_seq`; returns how many went.

    An event that a known consumer has not committed stays; an erasure is no event.
    """
    if kind == "event":
        before_seq = min(before_seq, committed_by_all(streams) + 1)
    stream, subject = STREAMS[kind], streams.layout.every(kind)
    first = next(streams.after(stream, 0, 1, subject), None)
    if first is None or first.seq >= before_seq:
        return 0
    return streams.purge(stream, subject, min(before_seq, first.seq + limit))


def first_since(streams: NatsStreams, kind: Kind, at_s: float) -> int:
    """The position behind all entries that were appended before `at_s`: positions follow time."""
    state = streams.state(STREAMS[kind])
    low, high = state.first_seq, state.last_seq + 1
    while low < high:
        middle = (low + high) // 2
        found = next(streams.after(STREAMS[kind], middle - 1, 1), None)
        if found is None or found.logged_s >= at_s:
            high = middle
        else:
            low = found.seq + 1
    return low
