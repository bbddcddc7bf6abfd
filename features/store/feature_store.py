"""From the settings to a Feast store: SQLite or Redis online, Parquet offline."""

import fcntl
import sqlite3
from contextlib import closing
from typing import Any

from feast import FeatureStore, RepoConfig
from feast.errors import FeatureViewNotFoundException

from features.definitions import COLUMNS, definitions
from features.store.offline import OfflineStore
from features.store.settings import StoreSettings


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
    registry: dict[str, Any] = {"path": settings.registry_path}
    if settings.space:
        # Written once, when the shop is opened: no thread of its own looks whether it changed.
        registry |= {"cache_mode": "sync", "cache_ttl_seconds": 0}
    else:
        registry |= {
            "cache_mode": "thread",
            "cache_ttl_seconds": settings.registry_refresh_s,
        }
    config = RepoConfig(
        project=settings.project,
        provider="local",
        registry=registry,
        online_store=online,
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


def open_current(settings: StoreSettings) -> FeatureStore:
    """`open_store`, after `apply` if the views are not registered; processes take turns."""
    settings.state.mkdir(parents=True, exist_ok=True)
    with (settings.state / "registry.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        store = open_store(settings)
        if not is_current(store):
            apply(store, settings)
    return store


def is_current(store: FeatureStore) -> bool:
    """Whether the views are registered with all columns: those of an earlier version had fewer."""
    try:
        return all(
            set(columns) <= {field.name for field in store.get_feature_view(view).features}
            for view, columns in COLUMNS.items()
        )
    except FeatureViewNotFoundException:
        return False


def apply(store: FeatureStore, settings: StoreSettings) -> None:
    """Register the definitions and prepare the files; safe to repeat."""
    OfflineStore(settings.offline_path).prepare()
    store.apply(definitions(str(settings.offline_path)).all())
    store.refresh_registry()
    if settings.kind == "sqlite":
        # The file keeps the mode, so that Feast's own connections have it: a reader never waits.
        with closing(sqlite3.connect(settings.online_path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
