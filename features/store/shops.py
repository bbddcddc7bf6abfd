"""Where each shop of an installation keeps what it has, and deleting all of it."""

import shutil
from contextlib import closing
from pathlib import Path

from features.catalog.prices import Prices
from features.controls.shops import DEFAULT_SHOP, Registered, ShopStatus, registered
from features.store.archive import Archive
from features.store.backends import open_controls
from features.store.settings import StoreSettings

_AT_ONCE = 1_000  # keys of a round trip


def shop_store(installation: StoreSettings, shop: Registered) -> StoreSettings:
    """The store of a registered shop; raises ValidationError for prices that cannot be used."""
    prices = Prices.model_validate(shop.definition.get("prices", {}))
    return installation.of_shop(shop.space, prices)


def store_named(installation: StoreSettings, name: str) -> StoreSettings:
    """The store of the shop called so; raises ValueError with a message for people."""
    if name == DEFAULT_SHOP:
        return installation
    with closing(open_controls(installation)) as controls:
        shops = registered(controls)
    known = [each.name for each in shops.values() if each.status is not ShopStatus.REMOVED]
    if name not in known:
        raise ValueError(
            f"no shop is called {name!r}: there are {', '.join([DEFAULT_SHOP, *known])}"
        )
    return shop_store(installation, shops[name])


def delete_store(store: StoreSettings) -> None:
    """Leave nothing of a shop beside the default one; safe to repeat, and after half of it."""
    if not store.space:
        raise ValueError("the default shop is never deleted")
    if store.archive:
        Archive(store.archive).delete()
    if store.nats is not None:
        from features.events.nats.streams import NatsStreams

        with closing(NatsStreams(store.nats)) as streams:
            streams.delete()
    if store.kind == "redis":
        _delete_keys(store)
    shutil.rmtree(store.offline_path, ignore_errors=True)
    _delete_folder(store.state)


def _delete_keys(store: StoreSettings) -> None:
    from redis import Redis

    # Feast's keys end with its project, all others begin with the prefix; both hold the space.
    client = Redis(**store.redis.client_options())
    try:
        for pattern in (f"{store.prefix}:*", f"*{store.project}"):
            found = client.scan_iter(match=pattern, count=_AT_ONCE)
            while keys := [key for _, key in zip(range(_AT_ONCE), found, strict=False)]:
                client.unlink(*keys)
    finally:
        client.close()


def _delete_folder(folder: Path) -> None:
    """Renamed first: who still has the folder's name makes no file in half of one."""
    gone = folder.with_name(f".{folder.name}")
    if folder.exists():
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
