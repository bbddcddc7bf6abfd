"""One shop's ingest over its stores, as they are opened for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from features.controls.choices import Choices
from features.controls.exports import Exports
from features.controls.shops import DEFAULT_SHOP
from features.events.lease import Lease
from features.ingest.keeping.erase import Eraser
from features.ingest.loop import Ingest
from features.ingest.settings import IngestSettings
from features.store.archive import Archive
from features.store.backends import (
    open_catalog,
    open_controls,
    open_event_log,
    open_held_events,
)
from features.store.feature_store import open_current
from features.store.offline import OfflineStore
from features.store.online import OnlineFeatures


@contextmanager
def opened(
    settings: IngestSettings, lease: Lease, archive: Archive | None, shop: str = DEFAULT_SHOP
) -> Iterator[Ingest]:
    """An Ingest over the stores of `settings`; closed at the end. archive: of `settings.store`."""
    store = settings.store
    log, catalog = open_event_log(store, lease), open_catalog(store)
    held, controls = open_held_events(store), open_controls(store)
    online = OnlineFeatures(open_current(store), lease)
    analysis = store.state.resolve() / "analysis-online.db"  # see features/repo.py
    offline = OfflineStore(store.offline_path)
    eraser = Eraser(offline, settings.dataset_folders, [analysis], archive, Exports(controls))
    try:
        yield Ingest(
            log, held, online, catalog, offline, eraser, settings, lease=lease, shop=shop,
            choices=Choices(controls),
        )  # fmt: skip
    finally:
        for opened in (log, held, controls, catalog, online):
            opened.close()
