"""How soon ingest makes an event a feature, with one shop and with many.

    python -m loadtests.shops.freshness [--shops 50] [--events 40]

Ingest's loop over shops alone, on files, in this process: no replica, no model server. A thread
that sleeps a hundredth of a second at a time tells how late the machine wakes anybody: what is
beyond that is the loop's. Both numbers of shops are measured in turns. Prints a table and writes
build/reports/freshness.json.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from features.catalog.item import Item
from features.controls.shops import SHOPS, Registered, ShopStatus
from features.events.event import BehaviorEvent, EventType
from features.events.lease import UNSHARED
from features.events.log import EventLog
from features.ingest.fleet import IDLE_S, Fleet
from features.ingest.settings import IngestSettings
from features.store.backends import open_catalog, open_controls, open_event_log
from features.store.feature_store import open_current
from features.store.online import OnlineFeatures
from features.store.settings import StoreSettings
from features.store.shops import shop_store

_ITEM = Item("i1", "Tea")
_PATIENCE_S = 60.0
_NAP_S = 0.01
_TURNS = 2


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.shops.freshness", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--shops", type=int, default=50)
    parser.add_argument("--events", type=int, default=40, help="of each turn")
    parser.add_argument("--out", type=Path, default=Path("build/reports/freshness.json"))
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 100)
    found: dict[int, list[float]] = {1: [], given.shops: []}
    late: dict[int, list[float]] = {1: [], given.shops: []}
    with ExitStack() as opened:
        places = {
            n: opened.enter_context(_installation(n, Path(folder)))
            for n in found
            for folder in [opened.enter_context(tempfile.TemporaryDirectory())]
        }
        for turn in range(_TURNS):
            for n, (settings, shops) in places.items():
                fleet = Fleet(settings, open_controls(settings.store), UNSHARED)
                with fleet, _naps() as naps:
                    found[n] += [
                        _waited(shops, f"{turn}-{number}") for number in range(given.events)
                    ]
                late[n] += naps
    report = {
        str(n): {"event": _quantiles(found[n]), "machine": _quantiles(late[n])} for n in found
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"idle_s": IDLE_S, "shops": report}, indent=1) + "\n")
    table = Table(
        "shops", "an event is a feature after: p50, max, s", "the machine is late: p99, max, s"
    )
    for name, each in report.items():
        event, machine = each["event"], each["machine"]
        table.add_row(
            name, f"{event['p50']:.2f}, {event['max']:.2f}",
            f"{machine['p99']:.3f}, {machine['max']:.3f}",
        )  # fmt: skip
    console.print(table)
    return 0


@contextmanager
def _installation(
    n_shops: int, state: Path
) -> Iterator[tuple[IngestSettings, list[tuple[EventLog, OnlineFeatures]]]]:
    """A store with registered shops of one item, and what to tell and to ask each by."""
    store = StoreSettings(state=state)
    with ExitStack() as opened:
        with closing(open_controls(store)) as controls:
            stores = []
            for number in range(n_shops):
                name = f"shop-{number}"
                shop = Registered(name, f"{name}-1", ShopStatus.ACTIVE, 0, {}, {})
                controls.put(SHOPS, name, shop.document)
                stores.append(shop_store(store, shop))
        shops = []
        for each in stores:
            with closing(open_catalog(each)) as catalog:
                catalog.upsert([_ITEM])
            log = opened.enter_context(closing(open_event_log(each)))
            online = opened.enter_context(closing(OnlineFeatures(open_current(each))))
            shops.append((log, online))
        yield IngestSettings(store=store), shops


def _waited(shops: list[tuple[EventLog, OnlineFeatures]], name: str) -> float:
    """Seconds from an event of one of the shops, after a while without any, to the feature."""
    time.sleep(random.uniform(0.2, 0.6))
    log, online = random.choice(shops)
    user = f"user-{name}"
    log.append([BehaviorEvent(name, EventType.CLICK, time.time(), user_id=user, item_id="i1")])
    told_s = time.monotonic()
    while user not in online.read_users([user]):
        assert time.monotonic() - told_s < _PATIENCE_S, "it did not become a feature"
        time.sleep(0.005)
    return time.monotonic() - told_s


@contextmanager
def _naps() -> Iterator[list[float]]:
    """By how much each of many short sleeps was too long, in seconds."""
    late: list[float] = []
    stop = threading.Event()

    def nap() -> None:
        while not stop.is_set():
            asleep_s = time.monotonic()
            time.sleep(_NAP_S)
            late.append(time.monotonic() - asleep_s - _NAP_S)

    thread = threading.Thread(target=nap, daemon=True)
    thread.start()
    try:
        yield late
    finally:
        stop.set()
        thread.join()


def _quantiles(seconds: list[float]) -> dict[str, Any]:
    return {
        "n": len(seconds),
        "p50": float(np.quantile(seconds, 0.5)),
        "p99": float(np.quantile(seconds, 0.99)),
        "max": max(seconds),
    }


if __name__ == "__main__":
    sys.exit(main())
