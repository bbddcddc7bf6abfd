"""Ingest through failing stores, kill -9 and signals: nothing is lost, nothing counts twice."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from features.ingest.__main__ import main, open_ingest
from features.ingest.keeping.erase import Eraser
from features.ingest.leader import lead
from features.ingest.loop import Ingest
from features.ingest.status import CONSUMER
from features.store.feature_store import open_store
from features.store.offline import OfflineStore
from features.store.online import OnlineFeatures
from tests.support.live_shop import Shop, assert_online_is, folded, visits, wait_until


class FailingOnline:
    """An online store that fails halfway through a flush until it `works`."""

    def __init__(self, online: OnlineFeatures) -> None:
        self._online = online
        self.works, self.failures = False, 0

    def __getattr__(self, name: str) -> Any:
        if name == "write_sessions" and not self.works:
            self.failures += 1
            raise OSError("the online store is away")
        return getattr(self._online, name)


def test_a_store_that_fails_is_tried_again_and_nothing_is_lost(shop: Shop) -> None:
    store = shop.settings.store
    online = FailingOnline(OnlineFeatures(open_store(store)))
    offline = OfflineStore(store.offline_path)
    ingest = Ingest(
        shop.log,
        shop.held,
        online,  # type: ignore[arg-type]
        shop.catalog,
        offline,
        Eraser(offline),
        shop.settings,
    )
    shop.log.append(visits(shop, 60))
    stop = threading.Event()
    thread = threading.Thread(target=lead, args=(ingest, stop))
    thread.start()
    wait_until(lambda: online.failures > 0)
    online.works = True
    wait_until(lambda: shop.log.offset(CONSUMER) == shop.log.last_seq())
    stop.set()
    thread.join()
    online.close()
    assert_online_is(shop, folded(shop))


def test_a_second_ingest_on_the_same_folder_is_refused(shop: Shop, ingest: Ingest) -> None:
    with pytest.raises(BlockingIOError), open_ingest(shop.settings):
        pass


# Dies where it hurts most: the seventh batch is in the online store and not committed.
_DYING = """
import os, signal, sys
sys.modules["torch"] = None  # Feast imports it when it is there, which takes seconds
from pathlib import Path
from features.ingest.keeping.erase import Eraser
from features.ingest.leader import lead
from features.ingest.loop import Ingest
from features.ingest.settings import IngestSettings
from features.store.backends import open_catalog, open_event_log, open_held_events
from features.store.feature_store import open_store
from features.store.offline import OfflineStore
from features.store.online import OnlineFeatures

class DyingLog:
    def __init__(self, log):
        self._log, self._commits = log, 0
    def __getattr__(self, name):
        return getattr(self._log, name)
    def commit(self, *arguments):
        self._commits += 1
        if self._commits == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        self._log.commit(*arguments)

settings = IngestSettings.model_validate_json(Path(sys.argv[1]).read_text())
store = settings.store
log, online = DyingLog(open_event_log(store)), OnlineFeatures(open_store(store))
offline = OfflineStore(store.offline_path)
held, catalog = open_held_events(store), open_catalog(store)
Ingest(log, held, online, catalog, offline, Eraser(offline), settings).drain()
"""


def test_kill_9_between_write_and_commit_loses_nothing_and_counts_nothing_twice(
    shop: Shop,
) -> None:
    path = shop.settings.store.state / "ingest.json"
    settings = shop.settings.model_copy(update={"batch_events": 10})
    path.write_text(settings.model_dump_json())
    shop.log.append(visits(shop, 200))
    root = Path(__file__).parents[3]
    died = subprocess.run([sys.executable, "-c", _DYING, str(path)], cwd=root, check=False)
    assert died.returncode == -signal.SIGKILL
    users = shop.online.read_users([f"u{n}" for n in range(9)]).values()
    assert shop.log.offset(CONSUMER) == 60
    assert max(user.applied_seq for user in users) == 70
    shop.log.append(visits(shop, 50, seed=1))
    with open_ingest(settings) as ingest:
        assert ingest.drain() == 190
    assert_online_is(shop, folded(shop))


def test_sigterm_ends_the_command_after_what_it_was_doing(shop: Shop) -> None:
    path = shop.settings.store.state / "ingest.json"
    path.write_text(shop.settings.model_dump_json())
    shop.log.append(visits(shop, 50))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    try:
        timer.start()
        assert main(["--settings", str(path)]) == 0
    finally:
        timer.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert shop.log.offset(CONSUMER) == 50


def test_wrong_settings_end_the_process_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ingest.json"
    path.write_text('{"batch_event": 5}')
    assert main(["--settings", str(path)]) == 2
