"""How ingest works, as one settings object."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from features.catalog.counters import DAY_S
from features.events.event import MAX_AGE_S
from features.store.settings import StoreSettings


class IngestSettings(BaseModel):
    """How ingest works."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store: StoreSettings = StoreSettings()
    batch_events: PositiveInt = Field(
        default=5_000, description="A flush costs mostly per batch, and a live event waits for one"
    )
    flush_interval_s: PositiveFloat = Field(
        default=0.05, description="Shortest time between two flushes"
    )
    max_users: PositiveInt = 2_000
    max_sessions: PositiveInt = 2_000
    retention_s: PositiveFloat = Field(
        default=90 * DAY_S, description="Of the log, counted from when an event arrived"
    )
    snapshot_retention_s: PositiveFloat = MAX_AGE_S
    max_held: PositiveInt = Field(
        default=50_000, description="Events that may wait for the catalogue to know their item"
    )
    hold_s: PositiveFloat = Field(
        default=7 * DAY_S, description="How long they may; not longer than the log keeps them"
    )
    archive_every_s: PositiveFloat = Field(
        default=600.0, description="With `store.archive`: how often what was folded goes there"
    )
    archive_keep_s: PositiveFloat = Field(
        default=MAX_AGE_S, description="How long the archive keeps it after it arrived"
    )
    maintain_every_s: PositiveFloat = Field(
        default=3_600.0, description="Snapshots, retention, compaction"
    )
    trim_every_s: PositiveFloat = Field(
        default=2.0, description="The log's bytes are looked at; `store.log_max_bytes`"
    )
    dataset_folders: tuple[Path, ...] = Field(default=(), description="Erased from, too")
