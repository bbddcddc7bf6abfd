"""What ingest tells of itself, in the log that it reads."""

from dataclasses import asdict, dataclass, fields

import orjson

from features.events.log import EventLog

CONSUMER = "ingest"  # its name among the readers of the log


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """What ingest tells of itself with every commit; totals count since it started."""

    applied_seq: int = 0
    lag_s: float = 0.0  # from the append of the oldest event of the last batch to its flush
    flush_ms: float = 0.0
    events_total: int = 0
    late_total: int = 0  # folded
    future_total: int = 0  # ignored: too far ahead of their own arrival
    unknown_item_total: int = 0  # folded into counts only
    erasures_total: int = 0
    failures_total: int = 0
    updated_s: float = 0.0

    def to_json(self) -> bytes:
        """As it is committed with an offset."""
        return orjson.dumps(asdict(self))


def read_status(log: EventLog) -> IngestStatus | None:
    """What the running ingest last published; None when it never ran."""
    status = log.status(CONSUMER)
    if not status:
        return None
    told = orjson.loads(status)  # perhaps by an earlier version, which told of other things
    return IngestStatus(**{f.name: told[f.name] for f in fields(IngestStatus) if f.name in told})
