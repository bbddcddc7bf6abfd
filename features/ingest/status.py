"""What ingest tells of itself, in the log that it reads."""

from dataclasses import asdict, dataclass, fields, replace

import orjson

from features.definitions import TTL_S, USER_VIEW
from features.events.log import EventLog
from features.ingest.settings import IngestSettings

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
    to_compact: bool = False  # something was erased since files were rewritten, by whichever ingest
    updated_s: float = 0.0
    # How long what is kept, enforced every hour: the log; a shopper's features after the last
    # event; snapshots.
    retention_s: float = 0.0
    shopper_retention_s: float = 0.0
    snapshot_retention_s: float = 0.0

    def keeping(self, settings: IngestSettings) -> "IngestStatus":
        """The same, with how long the settings have things kept."""
        return replace(
            self,
            retention_s=settings.retention_s,
            shopper_retention_s=TTL_S[USER_VIEW],
            snapshot_retention_s=settings.snapshot_retention_s,
        )

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
