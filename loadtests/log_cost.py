"""What the log costs for each ranking, in Redis and in NATS: `python -m loadtests.log_cost`.

The same rankings (50 candidates, with what the ranker saw) and events are written as the ingress
does, and read, committed and joined as ingest does, on servers of their own. Writes
build/reports/log-cost.json and log-cost.png.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import psutil
from redis import Redis
from rich.console import Console
from rich.table import Table

from features.events.event import BehaviorEvent, EventType
from features.events.log import EventLog, RankingRecord
from features.events.nats.log import NatsEventLog
from features.events.nats.settings import NatsSettings
from features.events.redis_log import RedisEventLog
from loadtests.chaos.nats_process import NatsProcess
from loadtests.chaos.redis_process import RedisProcess
from serving.local.machine import free_port

REPORTS = Path("build/reports")
ENGINES = ("redis, synced", "nats, synced", "nats")
_AT_ONCE = 20  # rankings that an ingress hands over together at 100 a second
_EVENTS = 28  # that come meanwhile, in posts of two


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one engine. CPU in ms, bytes, each for one ranking with its 1.4 events."""

    engine: str
    server_cpu: float
    client_cpu: float
    memory: float
    disk: float
    write_p50: float  # ms, of a post of two events
    write_p99: float


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.log_cost", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rankings", type=int, default=4_000)
    given = parser.parse_args()
    console = Console()
    costs = []
    for engine in ENGINES:
        console.print(f"{time.strftime('%H:%M:%S')} {engine}")
        with tempfile.TemporaryDirectory() as folder:
            costs.append(measured(engine, Path(folder), given.rankings))
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / "log-cost.json").write_text(json.dumps([asdict(cost) for cost in costs], indent=1))
    _plot(costs, REPORTS / "log-cost.png")
    console.print(_table(costs))
    return 0


def measured(engine: str, folder: Path, n_rankings: int) -> Cost:
    """What `n_rankings` cost on a server of their own."""
    with _started(engine, folder) as (log, server):
        _work(log, 0)  # what is made once
        before = server.cpu_times(), time.process_time(), server.memory_info().rss, _size(folder)
        took = [ms for group in range(1, n_rankings // _AT_ONCE + 1) for ms in _work(log, group)]
        after = server.cpu_times(), time.process_time(), server.memory_info().rss, _size(folder)
    n = n_rankings // _AT_ONCE * _AT_ONCE
    server_s = sum(after[0][:2]) - sum(before[0][:2])
    return Cost(
        engine,
        server_s / n * 1e3,
        (after[1] - before[1]) / n * 1e3,
        (after[2] - before[2]) / n,
        (after[3] - before[3]) / n,
        float(np.percentile(took, 50)),
        float(np.percentile(took, 99)),
    )


@contextmanager
def _started(engine: str, folder: Path) -> Iterator[tuple[EventLog, psutil.Process]]:
    server: RedisProcess | NatsProcess
    log: EventLog
    if engine.startswith("redis"):
        server = RedisProcess(free_port(), folder)
        server.start()
        log = RedisEventLog(Redis(port=server.port))
    else:
        server = NatsProcess(free_port(), folder, synced="synced" in engine)
        server.start()
        log = NatsEventLog(NatsSettings(servers=[server.url], timeout_s=30))
    try:
        yield log, psutil.Process(server.pid)
    finally:
        log.close()
        server.stop()


def _work(log: EventLog, group: int) -> list[float]:
    """A fifth of a second at 100 rankings a second; how long each post took, in ms."""
    names = [f"r{group}-{n}" for n in range(_AT_ONCE)]
    log.append_rankings([_ranking(name) for name in names])
    took = []
    for post in range(0, _EVENTS, 2):
        began_s = time.perf_counter()
        log.append([_event(f"e{group}-{post + n}", names[post % _AT_ONCE]) for n in range(2)])
        took.append((time.perf_counter() - began_s) * 1e3)
    entries = log.read(log.offset("ingest"), 5_000)
    log.routes(
        [
            entry.ranking_id
            for _, entry in entries
            if isinstance(entry, BehaviorEvent) and entry.ranking_id
        ]
    )
    log.commit("ingest", entries[-1][0], [f"i{n}" for n in range(_EVENTS)], b"x" * 200)
    return took


def _event(event_id: str, ranking_id: str) -> BehaviorEvent:
    user = f"u{hash(event_id) % 1000:032d}"
    return BehaviorEvent(
        event_id, EventType.CLICK, time.time(), user, f"s{user}", "i1234567", "oat milk",
        ranking_id, 3,
    )  # fmt: skip


def _ranking(ranking_id: str) -> RankingRecord:
    draw = np.random.default_rng(abs(hash(ranking_id)))
    # Half of what is known of a candidate is the same for many: counts, flags, what is missing.
    features = draw.normal(size=(50, 60)).astype(np.float16)
    features[:, ::2] = np.round(features[:, ::2])
    return RankingRecord(
        ranking_id, time.time(), "model",
        tuple(f"i{n:07d}" for n in draw.integers(10_000, size=50)),
        f"u{ranking_id}", f"s{ranking_id}", "oat milk", "7",
        draw.normal(size=50).astype(np.float32), np.ones(50, np.float32), features,
    )  # fmt: skip


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _table(costs: list[Cost]) -> Table:
    table = Table("engine", title="For each ranking of 50 candidates with 1.4 events")
    for name in ("server CPU ms", "client CPU ms", "memory B", "disk B", "post p50 ms", "p99 ms"):
        table.add_column(name, justify="right")
    for cost in costs:
        table.add_row(
            cost.engine, f"{cost.server_cpu:.2f}", f"{cost.client_cpu:.2f}", f"{cost.memory:,.0f}",
            f"{cost.disk:,.0f}", f"{cost.write_p50:.1f}", f"{cost.write_p99:.1f}",
        )  # fmt: skip
    return table


def _plot(costs: list[Cost], path: Path) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    kinds = (("server_cpu", "server CPU, ms"), ("client_cpu", "client CPU, ms"),
             ("memory", "memory, bytes"), ("disk", "disk, bytes"))  # fmt: skip
    figure, axes = plt.subplots(1, len(kinds), figsize=(12, 3.2), constrained_layout=True)
    for axis, (name, title) in zip(axes, kinds, strict=True):
        axis.bar([cost.engine for cost in costs], [getattr(cost, name) for cost in costs])
        axis.set_title(title)
        axis.tick_params(axis="x", rotation=20)
    figure.suptitle("The log, for each ranking of 50 candidates with 1.4 events")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
