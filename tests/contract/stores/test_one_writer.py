"""Two ingest processes on one real Redis: one folds, whatever happens to it the other goes on."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from features.events.lease import LEASE_S
from features.ingest.status import CONSUMER
from serving.local.machine import free_port
from tests.support.live_shop import Shop, assert_online_is, folded, visits, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.timeout(600)]
LEASE = "{vitrine}:lease"
ROOT = Path(__file__).parents[3]
START_S = 180.0  # of a busy machine

# Feast imports torch when it is there, which takes seconds.
INGEST = """
import sys
sys.modules["torch"] = None
from features.ingest.__main__ import main
path, port, _ = sys.argv[1:]
sys.exit(main(["--settings", path, "--metrics-port", port]))
"""

# Ingest whose lease lasts two seconds, and that stops itself at the third call of a store's method.
STOPPING = """
import os, signal, sys, threading
sys.modules["torch"] = None
from pathlib import Path
from prometheus_client import start_http_server
from redis import Redis
from features.events.lease import redis_lease
from features.ingest.keeping.erase import Eraser
from features.ingest.leader import lead
from features.ingest.loop import Ingest
from features.ingest.settings import IngestSettings
from features.store.backends import open_catalog, open_event_log, open_held_events
from features.store.feature_store import open_store
from features.store.offline import OfflineStore
from features.store.online import OnlineFeatures

class Stopping:
    def __init__(self, store, method):
        self._store, self._method, self._calls = store, method, 0
    def __getattr__(self, name):
        if name == self._method:
            self._calls += 1
            if self._calls == 3:
                os.kill(os.getpid(), signal.SIGSTOP)
        return getattr(self._store, name)

path, port, method = sys.argv[1:]
settings = IngestSettings.model_validate_json(Path(path).read_text())
store = settings.store
lease = redis_lease(Redis(**store.redis.client_options()), ttl_s=2.0)
log, held = open_event_log(store, lease), open_held_events(store)
online, offline = OnlineFeatures(open_store(store), lease), OfflineStore(store.offline_path)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
start_http_server(int(port))
lead(
    Ingest(Stopping(log, method), Stopping(held, method), Stopping(online, method),
           open_catalog(store), offline, Eraser(offline), settings, lease=lease),
    stop,
)
lease.close()
"""


class Process:
    """An ingest with a folder of its own, as a pod has."""

    def __init__(self, shop: Shop, folder: Path, stops_at: str | None = None) -> None:
        folder.mkdir()
        registry = shop.settings.store.registry_path  # made by the set-up, on the shared volume
        store = shop.settings.store.model_copy(update={"state": folder, "registry": registry})
        path, self._port = folder / "ingest.json", free_port()
        settings = shop.settings.model_copy(update={"store": store, "batch_events": 10})
        path.write_text(settings.model_dump_json())
        code = INGEST if stops_at is None else STOPPING
        command = [sys.executable, "-c", code, str(path), str(self._port), stops_at or ""]
        self.process = subprocess.Popen(command, cwd=ROOT)

    def metric(self, name: str) -> float | None:
        """The sum of its series; None as long as the process is not ready."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as got:
                text = got.read().decode()
        except URLError:
            return None
        samples = [
            each for family in text_string_to_metric_families(text) for each in family.samples
        ]
        return sum(each.value for each in samples if each.name == name)

    def leads(self) -> bool | None:
        told = self.metric("vitrine_ingest_leader")
        return None if told is None else told == 1

    def folded(self) -> float | None:
        return self.metric("vitrine_ingested_events_total")

    def stands_still(self) -> bool:
        state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Pods:
    """Starts processes, and ends what is left of them."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self._shop, self._folder = shop, folder
        self._started: list[Process] = []

    def start(self, stops_at: str | None = None) -> Process:
        pod = Process(self._shop, self._folder / f"pod{len(self._started)}", stops_at)
        self._started.append(pod)
        return pod

    def pair(self) -> tuple[Process, Process]:
        """One that leads, one that is ready and stands by."""
        pair = self.start(), self.start()
        wait_until(lambda: None not in [pod.leads() for pod in pair], START_S)
        wait_until(lambda: any(pod.leads() for pod in pair))
        return pair if pair[0].leads() else pair[::-1]

    def end(self) -> None:
        for pod in self._started:
            pod.end()


@pytest.fixture
def shop(redis: Redis, redis_port: int, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "shop", redis_port)
    yield shop
    shop.close()


@pytest.fixture
def pods(shop: Shop, tmp_path: Path) -> Iterator[Pods]:
    pods = Pods(shop, tmp_path)
    yield pods
    pods.end()


def all_is_folded(shop: Shop) -> bool:
    return shop.log.offset(CONSUMER) == shop.log.last_seq()


def test_the_one_that_stands_by_goes_on_at_once_when_the_leader_ends(
    shop: Shop, pods: Pods, redis: Redis
) -> None:
    first, second = pods.pair()
    shop.log.append(visits(shop, 100))
    wait_until(lambda: all_is_folded(shop))
    assert (first.folded(), second.folded()) == (100, 0)
    assert (first.leads(), second.leads()) == (True, False)
    token = redis.get(LEASE)
    shop.log.append(visits(shop, 300, seed=1))  # thirty batches: it ends among them
    first.process.terminate()
    assert first.process.wait() == 0
    assert redis.get(LEASE) != token  # given back, not left to run out
    shop.log.append(visits(shop, 50, seed=2))
    wait_until(lambda: all_is_folded(shop))
    assert second.leads()
    assert_online_is(shop, folded(shop))


def test_the_lease_of_a_killed_leader_runs_out(shop: Shop, pods: Pods, redis: Redis) -> None:
    first, second = pods.pair()
    shop.log.append(visits(shop, 300))
    wait_until(lambda: shop.log.offset(CONSUMER) > 0)
    token = redis.get(LEASE)
    first.process.kill()
    first.process.wait()
    killed_s = time.monotonic()
    assert redis.get(LEASE) == token
    wait_until(lambda: redis.get(LEASE) != token, timeout_s=LEASE_S + 2.0)
    assert time.monotonic() - killed_s > LEASE_S / 2
    wait_until(lambda: all_is_folded(shop))
    assert second.leads()
    assert_online_is(shop, folded(shop))


@pytest.mark.parametrize("at", ["hold", "write_items", "commit"])
def test_a_leader_that_stood_still_for_longer_than_its_lease_changes_nothing(
    shop: Shop, pods: Pods, at: str
) -> None:
    first = pods.start(stops_at=at)
    wait_until(first.leads, START_S)
    shop.log.append([shop.event(item_id="unknown" if at == "hold" else "i1") for _ in range(60)])
    wait_until(first.stands_still)
    second = pods.start()
    wait_until(second.leads, START_S)
    shop.log.append(visits(shop, 60))
    wait_until(lambda: all_is_folded(shop))
    before = folded(shop)
    assert_online_is(shop, before)
    os.kill(first.process.pid, signal.SIGCONT)
    wait_until(lambda: first.leads() is False)
    assert first.metric("vitrine_ingest_failures_total") == 0
    assert all_is_folded(shop)
    assert_online_is(shop, before)
    assert second.leads()
    second.process.terminate()
    wait_until(first.leads)
    shop.log.append(visits(shop, 60, seed=1))
    wait_until(lambda: all_is_folded(shop))
    assert_online_is(shop, folded(shop))
