"""One machine's figures of a running stack: latency and its parts, freshness, memory.

`make measure` runs it against `make serve`. Requests go one at a time, so these are idle latencies;
load is another matter. Prints a table, writes build/reports/baseline.json and a plot.
"""

import argparse
import json
import re
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import matplotlib as mpl
import numpy as np
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from loadtests.memory import memory_by_process

mpl.use("Agg")
import matplotlib.pyplot as plt

_TIMING = re.compile(r"([a-z_]+);dur=([\d.]+)")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", default="dev")
    parser.add_argument("--folder", type=Path, default=Path(".vitrine/grocery"))
    parser.add_argument("--rankings", type=int, default=500)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    arguments = parser.parse_args()
    headers = {"authorization": f"Bearer {arguments.key}"}
    with httpx.Client(base_url=arguments.url, headers=headers, timeout=30) as client:
        sample = json.loads((arguments.folder / "prepared.json").read_text())["sample"]
        report = {
            "measured_at": datetime.now(UTC).isoformat(),
            "rank_50_candidates": latency(client, sample, arguments.rankings, 50),
            "rank_100_candidates": latency(client, sample, arguments.rankings // 2, 100),
            "freshness_s": freshness(client, sample, arguments.events),
            "catalogue_freshness_s": catalogue_freshness(client, sample, arguments.events),
            "memory_mib": memory(arguments.folder.resolve()),
        }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "baseline.json").write_text(json.dumps(report, indent=2) + "\n")
    show(report, arguments.out / "baseline.png")


def latency(
    client: httpx.Client, sample: dict[str, Any], n: int, candidates: int
) -> dict[str, Any]:
    """Quantiles of the whole call, and the mean time of each stage, in milliseconds."""
    pool = candidate_pool(client, sample)
    rng = np.random.default_rng(0)
    whole, stages = [], []
    for number in track(range(n + 20), f"/v1/rank, {candidates} candidates", transient=True):
        chosen = rng.choice(pool, min(candidates, len(pool)), replace=False).tolist()
        body = {
            "user_id": sample["user_id"],
            "candidates": [{"item_id": item_id} for item_id in chosen],
        }
        started_s = time.perf_counter()
        answer = client.post("/v1/rank", json=body)
        spent_ms = 1000 * (time.perf_counter() - started_s)
        assert answer.json()["route"] == "model", answer.text
        if number >= 20:  # the first ones warm up
            whole.append(spent_ms)
            stages.append(
                {k: float(v) for k, v in _TIMING.findall(answer.headers["server-timing"])}
            )
    return {
        "n": n,
        "p50_ms": round(float(np.quantile(whole, 0.5)), 2),
        "p99_ms": round(float(np.quantile(whole, 0.99)), 2),
        "mean_ms": round(float(np.mean(whole)), 2),
        "stages_mean_ms": {
            name: round(float(np.mean([stage.get(name, 0.0) for stage in stages])), 2)
            for name in stages[0]
        },
    }


def candidate_pool(client: httpx.Client, sample: dict[str, Any]) -> list[str]:
    """Item ids that the shop would offer."""
    item_ids: list[str] = []
    for query in (
        "milk",
        "bread",
        "fruit",
        "cheese",
        "snack",
        "frozen",
        "sauce",
        "soap",
        sample["query"],
    ):
        answer = client.post("/v1/search", json={"query": query, "limit": 100}).json()
        item_ids += [item["item_id"] for item in answer["items"]]
    return sorted(set(item_ids))


def freshness(client: httpx.Client, sample: dict[str, Any], n: int) -> dict[str, Any]:
    """Seconds from the 202 of a click to a ranking that has seen it."""
    items = sample["item_ids"]
    waits = []
    for number in track(range(n), "click to changed ranking", transient=True):
        user = f"fresh-{uuid.uuid4().hex}"
        body = {
            "user_id": user,
            "candidates": [{"item_id": item_id} for item_id in items],
            "explain": True,
        }
        click = {
            "type": "click", "user_id": user, "item_id": items[number % len(items)],
            "at": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        events = [{**click, "event_id": uuid.uuid4().hex} for _ in range(2)]
        assert client.post("/v1/events", json={"events": events}).json()["accepted"] == 2
        posted_s = time.perf_counter()
        while client.post("/v1/rank", json=body).json()["route"] != "model":
            assert time.perf_counter() - posted_s < 10
        waits.append(time.perf_counter() - posted_s)
    return _quantiles(waits)


def catalogue_freshness(client: httpx.Client, sample: dict[str, Any], n: int) -> dict[str, Any]:
    """Seconds from the answer to a PATCH, of price or stock, to a ranking that has seen it.

    At any time of a replica's interval; each item is put back as it was.
    """
    items, rng, waits = sample["item_ids"], np.random.default_rng(0), []
    for number in track(range(n), "changed item to ranking", transient=True):
        item_id = items[number % len(items)]
        place = f"/v1/items/{quote(item_id, safe='')}"
        before = client.get(place).json()
        price = 100_000.0 + number
        body: dict[str, Any] = {"candidates": [{"item_id": item_id}]}
        if number % 2:
            change: dict[str, Any] = {"available": False}
            body["filters"] = change
        else:
            change, body["filters"] = {"price": price}, {"min_price": price}
        time.sleep(float(rng.uniform(0, 0.3)))
        assert client.patch(place, json=change).status_code == 200
        posted_s = time.perf_counter()
        while len(client.post("/v1/rank", json=body).json()["items"]) != 1:
            assert time.perf_counter() - posted_s < 10
        waits.append(time.perf_counter() - posted_s)
        client.patch(place, json={name: before[name] for name in change})
    return _quantiles(waits)


def _quantiles(waits_s: list[float]) -> dict[str, Any]:
    return {
        "n": len(waits_s),
        "p50": round(float(np.quantile(waits_s, 0.5)), 3),
        "p99": round(float(np.quantile(waits_s, 0.99)), 3),
        "max": round(max(waits_s), 3),
    }


def memory(folder: Path) -> dict[str, float]:
    """Proportional resident memory (PSS) of the stack's processes, MiB, and their sum."""
    top = psutil.Process(json.loads((folder / "running.json").read_text())["pid"])
    sizes = memory_by_process([top, *top.children(recursive=True)])
    sizes = {name: round(size, 1) for name, size in sorted(sizes.items(), key=lambda e: -e[1])}
    return {"sum": round(sum(sizes.values()), 1), **sizes}


def show(report: dict[str, Any], plot: Path) -> None:
    """A table on the terminal, and where the time of a ranking goes as a picture."""
    console = Console()
    table = Table("", "p50", "p99", title="idle latency, one client")
    for name in ("rank_50_candidates", "rank_100_candidates"):
        row = report[name]
        table.add_row(name, f"{row['p50_ms']} ms", f"{row['p99_ms']} ms")
    fresh = report["freshness_s"]
    table.add_row("click to changed ranking", f"{fresh['p50']} s", f"{fresh['p99']} s")
    fresh = report["catalogue_freshness_s"]
    table.add_row("changed item to ranking", f"{fresh['p50']} s", f"{fresh['p99']} s")
    console.print(table)
    console.print(f"memory of all processes: {report['memory_mib']['sum']:.0f} MiB")
    stages = report["rank_50_candidates"]["stages_mean_ms"]
    console.print("where the time goes (mean ms):", stages)
    figure, axes = plt.subplots(figsize=(8, 3))
    axes.barh(list(stages), list(stages.values()))
    axes.set_xlabel("mean milliseconds")
    axes.set_title("/v1/rank, 50 candidates: where the time goes")
    axes.invert_yaxis()
    figure.tight_layout()
    figure.savefig(plot, dpi=120)


if __name__ == "__main__":
    main()
