"""Where feature rows come from: snapshots in Parquet, and pushes of fresh rows."""

from feast import FileSource, PushSource

TIMESTAMP = "event_timestamp"  # the newest event that the row has seen
CREATED = "created"  # when the snapshot was written: of two with one timestamp, the later counts


def push_source(view: str, offline: str) -> PushSource:
    """The source of a view: its folder of Parquet files under `offline`, and pushes."""
    return PushSource(
        name=f"{view}_push",
        batch_source=FileSource(
            name=f"{view}_snapshots",
            path=f"{offline}/{view}",
            timestamp_field=TIMESTAMP,
            created_timestamp_column=CREATED,
        ),
    )
