"""Many shops on one stack, against the same stack with one.

    python -m loadtests.shops [--shops 50] [--items 2000]

Starts a stack, measures it with its default shop, adds the others over the API with items of their
own, waits until all are encoded, and measures again: memory, processors while nobody asks, and the
latency of rankings, of the default shop and of one of the others. How soon an event becomes a
feature is measured with all shops there. Then the stack is started again, with all of them.
Prints a table and writes build/reports/shops.json.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from features.telemetry.progress import tracked
from loadtests.bench.clients import Endpoint, closed_loop
from loadtests.memory import memory_by_process
from loadtests.ranking_cost import cpu_s_by_pid
from loadtests.shops.filling import added, candidates, is_encoded, shop_client, until
from loadtests.stack import RunningStack, fresh_state, run_stack
from serving.local.machine import free_port

DATA = "grocery"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.shops", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--shops", type=int, default=50, help="beside the default one")
    parser.add_argument("--items", type=int, default=2_000, help="of each")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("build/reports/shops.json"))
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    state = fresh_state(DATA, given.items)
    report: dict[str, Any] = {"shops": given.shops, "items": given.items}
    started_s = time.monotonic()
    for stack in run_stack(state, free_port()):
        report["start_one_s"] = time.monotonic() - started_s
        settled(stack)
        report["one"] = measured(stack, "dev", given)
        report |= filled(stack, given, console)
        settled(stack)
        report["many"] = measured(stack, "dev", given)
        keys = report.pop("keys")
        report["another"] = latency(stack.url, keys[0], candidates(stack.url, keys[0]), given)
        report["freshness_s"] = freshness(stack.url, keys)
    started_s = time.monotonic()
    for stack in run_stack(state, free_port()):
        report["start_many_s"] = time.monotonic() - started_s
        report["open_at_start"] = sum(shop["open"] for shop in _listed(stack.client))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    _show(report, console)
    return 0


def filled(stack: RunningStack, given: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Add the shops; their keys, and seconds until each was open, all were filled and encoded."""
    opened_s, keys = [], []
    started_s = time.monotonic()
    for number in tracked(range(given.shops), "shops", console):
        name = f"many-{number}"
        key, open_s = added(stack.url, stack.client, name, given.items, number)
        keys.append(key)
        opened_s.append(open_s)
    filled_s = time.monotonic() - started_s
    for key in tracked(keys, "encoded", console):
        with shop_client(stack.url, key) as client:
            until(lambda: is_encoded(client, given.items))
    return {
        "keys": keys, "open_s": float(np.median(opened_s)), "open_max_s": max(opened_s),
        "filled_s": filled_s, "encoded_s": time.monotonic() - started_s,
    }  # fmt: skip


def measured(stack: RunningStack, key: str, given: argparse.Namespace) -> dict[str, Any]:
    """Memory, processors while nobody asks, and latency of the default shop."""
    top = psutil.Process(stack.process.pid)
    before = cpu_s_by_pid(top)
    time.sleep(given.seconds)
    idle = sum(s - before.get(pid, 0.0) for pid, s in cpu_s_by_pid(top).items()) / given.seconds
    memory = memory_by_process(stack.processes())
    found = latency(stack.url, key, stack.sample["item_ids"], given, stack.sample["user_id"])
    return {
        "idle_cpus": idle, "memory_mib": sum(memory.values()), "memory_by_process": memory,
        "threads": sum(process.num_threads() for process in stack.processes()), **found,
    }  # fmt: skip


def latency(
    url: str, key: str, item_ids: Sequence[str], given: argparse.Namespace, user_id: str = "nobody"
) -> dict[str, Any]:
    """Of rankings of these items."""
    body = {"candidates": list(item_ids), "user_id": user_id, "query": "fresh milk"}
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    endpoint = Endpoint(f"{url}/v1/rank", headers, lambda: body, lambda answer: answer["route"])
    closed_loop(endpoint, given.clients, 3.0)
    return closed_loop(endpoint, given.clients, given.seconds).figures()


def freshness(url: str, keys: Sequence[str], n: int = 20) -> dict[str, float]:
    """Seconds from an event to the feature, each in another shop that did nothing for a while."""
    waited = [_until_known(url, keys[number % len(keys)], f"fresh-{number}") for number in range(n)]
    return {"p50": float(np.quantile(waited, 0.5)), "max": max(waited)}


def _until_known(url: str, key: str, user: str) -> float:
    with shop_client(url, key) as client:
        (item,) = client.get("/v1/items", params={"limit": 1}).json()["items"]
        event = {"event_id": user, "type": "click", "user_id": user, "item_id": item["item_id"]}
        told_s = time.monotonic()
        client.post("/v1/events", json={"events": [event]}).raise_for_status()
        until(lambda: client.get(f"/v1/users/{user}/features").json()["known"], 0.01)
        return time.monotonic() - told_s


def settled(stack: RunningStack) -> None:
    """Wait until the stack uses little more than it does when nobody asks."""
    top = psutil.Process(stack.process.pid)
    for _ in range(60):
        before = sum(cpu_s_by_pid(top).values())
        time.sleep(3.0)
        if sum(cpu_s_by_pid(top).values()) - before < 0.9:
            return


def _listed(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/shops").raise_for_status().json()["shops"]
    return found


def _show(report: dict[str, Any], console: Console) -> None:
    table = Table("", "one shop", f"and {report['shops']} of {report['items']:,} items")
    one, many = report["one"], report["many"]
    for name, form in (
        ("memory_mib", "{:.0f}"), ("idle_cpus", "{:.3f}"), ("threads", "{}"), ("p50_ms", "{:.1f}"),
        ("p99_ms", "{:.1f}"), ("per_s", "{:.0f}"),
    ):  # fmt: skip
        table.add_row(name, form.format(one[name]), form.format(many[name]))
    table.add_row("start, s", f"{report['start_one_s']:.0f}", f"{report['start_many_s']:.0f}")
    console.print(table)
    fresh, another = report["freshness_s"], report["another"]
    console.print(
        f"another shop: p50 {another['p50_ms']:.1f} ms, p99 {another['p99_ms']:.1f} ms; open after "
        f"{report['open_s']:.1f} s (at most {report['open_max_s']:.1f} s), all filled after "
        f"{report['filled_s']:.0f} s, encoded after {report['encoded_s']:.0f} s; an event is a "
        f"feature after {fresh['p50']:.2f} s (at most {fresh['max']:.2f} s); "
        f"{report['open_at_start']} open at the second start"
    )


if __name__ == "__main__":
    sys.exit(main())
