"""The event log, catalogue, controls and pictures that the settings ask for, without Feast."""

from features.catalog.sqlite_store import SqliteCatalog
from features.catalog.store import Catalog
from features.controls.sqlite_store import SqliteControls
from features.controls.store import Controls
from features.events.held import HeldEvents, RedisHeldEvents, SqliteHeldEvents
from features.events.lease import UNSHARED, FileLease, Lease, redis_lease
from features.events.log import EventLog
from features.events.space import LogSpace, RedisLogSpace, SqliteLogSpace
from features.events.sqlite_log import SqliteEventLog
from features.pictures.sqlite_store import SqlitePictures
from features.pictures.store import Rows
from features.store.settings import KEYS, StoreSettings


def open_lease(settings: StoreSettings) -> Lease:
    """The lease of ingest, of all shops: a file in the state folder, or beside the log in Redis or
    NATS.

    Raises BlockingIOError when another process holds the file.
    """
    if settings.kind == "sqlite":
        return FileLease(settings.state / "ingest.lock")
    if settings.nats is not None:
        from features.events.nats.lease import nats_lease

        return nats_lease(settings.nats)
    from redis import Redis

    return redis_lease(Redis(**settings.redis.client_options()))


def open_event_log(settings: StoreSettings, lease: Lease = UNSHARED) -> EventLog:
    """The log of `settings`: SQLite in the state folder, NATS JetStream, or Redis Streams.

    lease: of whoever commits; the file of the log needs no comparing.
    """
    if settings.kind == "sqlite":
        return SqliteEventLog(settings.log_path)
    if settings.nats is not None:
        from features.events.nats.log import NatsEventLog

        return NatsEventLog(settings.nats, lease=lease)
    from redis import Redis

    from features.events.redis_log import RedisEventLog

    client = Redis(**settings.redis.client_options())
    return RedisEventLog(client, prefix=settings.prefix, lease=lease, lease_prefix=KEYS)


def open_log_space(settings: StoreSettings) -> LogSpace:
    """The room of the log of `settings`."""
    if settings.kind == "sqlite":
        return SqliteLogSpace(settings.log_path, settings.log_max_bytes)
    if settings.nats is not None:
        from features.events.nats.space import NatsLogSpace

        return NatsLogSpace(settings.nats)
    from redis import Redis

    share = settings.shop_share if settings.space else None
    client = Redis(**settings.redis.client_options())
    return RedisLogSpace(client, settings.log_max_bytes, settings.prefix, share)


def open_held_events(settings: StoreSettings) -> HeldEvents:
    """Which events wait for their item: in the file of the log, or in Redis."""
    if settings.kind == "sqlite":
        return SqliteHeldEvents(settings.log_path)
    from redis import Redis

    return RedisHeldEvents(Redis(**settings.redis.client_options()), settings.prefix)


def open_catalog(settings: StoreSettings) -> Catalog:
    """The catalogue of `settings`: SQLite in the state folder, or Redis."""
    if settings.kind == "sqlite":
        return SqliteCatalog(settings.catalog_path)
    from redis import Redis

    from features.catalog.redis_store import RedisCatalog

    return RedisCatalog(Redis(**settings.redis.client_options()), settings.prefix)


def open_controls(settings: StoreSettings) -> Controls:
    """The controls of `settings`, where the catalogue is: SQLite in the state folder, or Redis."""
    if settings.kind == "sqlite":
        return SqliteControls(settings.controls_path)
    from redis import Redis

    from features.controls.redis_store import RedisControls

    return RedisControls(Redis(**settings.redis.client_options()), settings.prefix)


def open_pictures(settings: StoreSettings) -> Rows:
    """The pictures of `settings`, where the catalogue is: SQLite in the state folder, or Redis."""
    if settings.kind == "sqlite":
        return SqlitePictures(settings.pictures_path)
    from redis import Redis

    from features.pictures.redis_store import RedisPictures

    return RedisPictures(Redis(**settings.redis.client_options()), settings.prefix)
