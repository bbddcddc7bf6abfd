"""From the settings to a Feast store: SQLite or Redis online, Parquet offline."""

import sqlite3
from contextlib import closing
from typing import Any

from feast import FeatureStore, RepoConfig

from features.definitions import COLUMNS, definitions
from features.store.offline import OfflineStore
from features.store.settings import PROJECT, StoreSettings


def open_store(settings: StoreSettings) -> FeatureStore:
    """The store of `settings`; `apply` must have been called once for its state folder."""
    settings.state.mkdir(parents=True, exist_ok=True)
    online: dict[str, Any]
    if settings.kind == "sqlite":
        online = {"type": "sqlite", "path": str(settings.online_path)}
    else:
        online = {
            "type": "redis",
            "connection_string": settings.redis.connection_string(),
            # A late event changes a row without a newer timestamp, and only ingest writes.
            "skip_dedup": True,
        }
    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry={
            "path": settings.registry_path,
            "cache_mode": "thread",
            "cache_ttl_seconds": settings.registry_refresh_s,
        },
        online_store=online,
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


def is_current(store: FeatureStore) -> bool:
    """Whether the views are registered with all columns: those of an earlier version had fewer."""
    return all(
        set(columns) <= {field.name for field in store.get_feature_view(view).features}
        for view, columns in COLUMNS.items()
    )


def apply(store: FeatureStore, settings: StoreSettings) -> None:
    """Register the definitions and prepare the files; safe to repeat."""
    OfflineStore(settings.offline_path).prepare()
    store.apply(definitions(str(settings.offline_path)).all())
    store.refresh_registry()
    if settings.kind == "sqlite":
        # The file keeps the mode, so that Feast's own connections have it: a reader never waits.
        with closing(sqlite3.connect(settings.online_path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
