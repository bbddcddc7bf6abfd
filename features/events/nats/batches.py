"""Storing any number of entries, some of which may be there already."""

from collections.abc import Callable, Sequence

from features.events.nats.layout import ANY, STREAMS, Kind
from features.events.nats.streams import Entry, NatsStreams, TakenError

_AT_ONCE = 1_000
_TRIES = 5  # while others write the same ids
Known = dict[str, int]  # positions of what is there already, by id
Settled = Callable[[list[Entry], Known], list[Entry]]  # what of a batch is still to be stored


def put_all(
    streams: NatsStreams,
    kind: Kind,
    entries: list[Entry],
    clock: Callable[[], float],
    settled: Settled,
) -> int:
    """Store entries, 1,000 at a time; returns how many.

    settled: asked of a batch of which some is there already. Raises StoreFullError, and
    TimeoutError when others go on writing the same ids.
    """
    return sum(
        _put(streams, kind, entries[start : start + _AT_ONCE], clock, settled)
        for start in range(0, len(entries), _AT_ONCE)
    )


def _put(
    streams: NatsStreams,
    kind: Kind,
    entries: list[Entry],
    clock: Callable[[], float],
    settled: Settled,
) -> int:
    for _ in range(_TRIES):
        if not entries:
            return 0
        try:
            streams.put(kind, entries, clock())
        except TakenError:
            entries = settled(entries, _known(streams, kind, entries))
        else:
            return len(entries)
    raise TimeoutError(f"others write the same entries: {kind}")


def _known(streams: NatsStreams, kind: Kind, entries: Sequence[Entry]) -> Known:
    subjects = [streams.layout.subject(kind, entry.entry_id, ANY, ANY) for entry in entries]
    found = {
        stored.subject.rsplit(".", 2)[0]: stored.seq
        for stored in streams.last(STREAMS[kind], subjects)
    }
    return {
        entry.entry_id: found[name]
        for entry in entries
        if (name := streams.layout.subject(kind, entry.entry_id)) in found
    }
