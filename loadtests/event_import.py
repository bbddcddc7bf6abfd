"""Does a shop keep its history when it moves here? Imports a data set's events into an empty shop
on a stack of its own, over HTTP, and kills the client and ingest once each on the way.

    python -m loadtests.event_import

Then the online store must hold the states of a replay (features.behavior.replay) to the bit; log
positions aside, since live events come in between. Tells events a second until folded, and how long
live events took meanwhile. Writes build/reports/import.json.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from features.behavior.aggregator import Aggregator, uncollected
from features.behavior.replay import fold_all, item_table
from features.behavior.state import BehaviorState
from features.behavior.state_rows import state_to_row
from features.datasets.event_rows import behavior_events
from features.datasets.format import Dataset, write_dataset
from features.datasets.registry import load
from features.store.feature_store import open_store
from features.store.online import OnlineFeatures
from features.store.settings import embedded_store
from loadtests.stack import RunningStack, fresh_state, run_stack
from serving.local.machine import free_port
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.seeding import pseudonymous

WORK = Path("build/import").resolve()
REPORT = Path("build/reports/import.json")
_KILLS = {"client": 1 / 3, "ingest": 2 / 3}  # after this share of the events is folded
_PROBE_EVERY_S = 2.0
_READ = 1_000


@dataclass(slots=True)
class Watch:
    """What was seen from outside while an import ran. folded: (seconds, events) a second."""

    folded: list[tuple[float, int]] = field(default_factory=list)
    fresh_s: list[float] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)

    def figures(self, n_events: int) -> dict[str, Any]:
        """The table's rows by name."""
        times, counts = np.array(self.folded).T
        rates = np.diff(counts) / np.diff(times)
        fresh = np.quantile(self.fresh_s or [np.nan], (0.5, 0.99))
        return {
            "events": n_events,
            "seconds until folded": round(float(times[-1] - times[0]), 1),
            "events a second": round(n_events / float(times[-1] - times[0])),
            "events a second, median of seconds": round(float(np.median(rates[rates > 0]))),
            "live event until it is a feature, p50 s": round(float(fresh[0]), 2),
            "live event until it is a feature, p99 s": round(float(fresh[1]), 2),
            "live events": len(self.fresh_s),
            "killed": self.killed,
        }


def main() -> int:
    """0 when the states are those of the replay."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.event_import", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", default="grocery")
    parser.add_argument("--events", type=int, help="only the first so many")
    parser.add_argument("--undisturbed", action="store_true", help="kill nothing")
    given = parser.parse_args()
    dataset = load(given.data, Path("build/datasets"))
    dataset = replace(dataset, events=dataset.events.iloc[: given.events])
    shutil.rmtree(WORK, ignore_errors=True)
    info = dataset.info.model_copy(update={"name": "moving", "replay": "as_is"})
    write_dataset(replace(dataset, info=info), WORK / "moving")
    write_dataset(replace(dataset, info=info, events=dataset.events.iloc[:0]), WORK / "empty")
    empty = str(WORK / "empty")
    state = fresh_state(empty, len(dataset.items))
    with contextmanager(run_stack)(state, free_port(), "--data", empty) as stack:
        watch = run(stack, len(dataset.events), {} if given.undisturbed else dict(_KILLS))
        different = differences(stack.folder, dataset)
    told = {**watch.figures(len(dataset.events)), **different}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(told, indent=2) + "\n")
    table = Table("import", "")
    for name, value in told.items():
        table.add_row(name, str(value))
    Console().print(table)
    return int(any(value for name, value in different.items() if name.startswith("different")))


def run(stack: RunningStack, n_events: int, kills: dict[str, float]) -> Watch:
    """Import, and kill what `kills` names; returns when all is folded."""
    watch, over = Watch(), threading.Event()
    prober = threading.Thread(target=_probe, args=(stack, watch, over))
    client = _client(stack)
    prober.start()
    try:
        while client.poll() is None:
            status = stack.client.get("/v1/status").json()
            folded = status["events_logged"] - status["events_waiting"]
            if folded:
                watch.folded.append((time.monotonic(), folded))
            for name in [name for name, share in kills.items() if folded > share * n_events]:
                del kills[name]
                watch.killed.append(f"{name} after {folded:,} events")
                if name == "client":
                    client.kill()
                    client.wait()
                    client = _client(stack)
                else:
                    _ingest(stack).send_signal(signal.SIGKILL)
            time.sleep(1.0)
        status = stack.client.get("/v1/status").json()
        watch.folded.append((time.monotonic(), status["events_logged"]))
    finally:
        over.set()
        prober.join()
        client.kill()
    if client.returncode:
        raise SystemExit(f"the import ended with {client.returncode}")
    if kills:
        raise SystemExit(f"it was over before all was killed: {[*kills]}")
    return watch


def differences(folder: Path, dataset: Dataset) -> dict[str, int]:
    """How many rows of the online store of `folder` are not those of a replay, log positions
    aside."""
    own = pseudonymous(dataset, Pseudonyms.from_file(folder / "pseudonym.key"))
    items = item_table(dataset)
    fold = Aggregator(items.row_of, items.facts)
    with uncollected():
        fold_all(fold, behavior_events(own.events))
    with closing(OnlineFeatures(open_store(embedded_store(folder)))) as online:
        keys, users = [*fold.users], 0
        for part in (keys[start : start + _READ] for start in range(0, len(keys), _READ)):
            found = online.read_users(part)
            users += sum(_bits(found.get(key)) != _bits(fold.users[key]) for key in part)
        rows = online.read_items(items.item_ids)
    counters = fold.items
    same = [
        (a.tobytes(), b, c) == (d.tobytes(), e, f)
        for a, b, c, d, e, f in zip(
            rows.counts, rows.at_s, rows.first_s, counters.counts, counters.at_s, counters.first_s,
            strict=True,
        )
    ]  # fmt: skip
    return {
        "users": len(fold.users), "different users": users,
        "items": len(same), "different items": same.count(False),
    }  # fmt: skip


def _bits(state: BehaviorState | None) -> str:
    """All of a state, its maps in their order; Python writes a float with all its bits."""
    return repr(state and state_to_row(replace(state, applied_seq=0)))


def _client(stack: RunningStack) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "features.datasets.importing", str(WORK / "moving")]
    return subprocess.Popen([*command, "--url", stack.url, "--state", str(WORK)])


def _ingest(stack: RunningStack) -> psutil.Process:
    return next(each for each in stack.processes() if "features.ingest" in each.cmdline())


def _probe(stack: RunningStack, watch: Watch, over: threading.Event) -> None:
    """A live search every now and then, of somebody who is in no history."""
    while not over.wait(_PROBE_EVERY_S):
        shopper = f"live-{uuid.uuid4().hex}"
        event = {"event_id": shopper, "type": "search", "user_id": shopper, "query": "milk"}
        started_s = time.monotonic()
        stack.client.post("/v1/events", json={"events": [event]}).raise_for_status()
        for _ in _until(60.0):
            if stack.client.get(f"/v1/users/{shopper}/features").json()["known"]:
                watch.fresh_s.append(time.monotonic() - started_s)
                break


def _until(timeout_s: float) -> Iterator[None]:
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        yield
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
