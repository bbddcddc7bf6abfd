"""`make load`: a stack of its own (or the one at --url), then the load test against it.

The exit status is 1 when a gate is broken; locustfile.py judges, docs/load.md explains.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from features.datasets.registry import load
from loadtests.load.schedule import SHAPES
from loadtests.load.shop import Shop
from loadtests.memory import GROWTH, MemoryWatch, growth
from loadtests.stack import fresh_state, run_stack
from serving.local.machine import free_port
from serving.local.models import ROOT
from serving.local.state_folder import DEV_KEY, folder_of, prepared

SOAK_S = 3600.0


def main() -> int:
    """The exit status."""
    options = _options()
    console = Console()
    if options.url:
        return run(options, options.url, options.state, console)
    status = 1
    state = fresh_state(options.data, options.items)
    console.print("starting a stack")
    keys = ["--keys", str(options.keys)] if options.keys else []
    for stack in run_stack(state, free_port(), "--data", options.data, *keys):
        with MemoryWatch(stack) as memory:
            status = run(options, stack.url, state, console)
        grown = growth(memory.sums)
        (options.out / "memory.json").write_text(
            json.dumps({"growth": grown, "mib": memory.sums, "by_process": memory.by_process})
        )
        console.print(f"memory: {memory.sums[-1]:.0f} MiB at the end, {grown:+.1%} since warm-up")
        for name, sizes in list(memory.by_process.items())[:3]:
            console.print(f"  {name}: {sizes[0]:.0f} to {sizes[-1]:.0f} MiB", markup=False)
        if options.shape == "soak" and grown > GROWTH:
            console.print(f"FAILED: memory grew by more than {GROWTH:.0%}", style="bold red")
            status = 1
    return status


def run(options: argparse.Namespace, url: str, state: Path, console: Console) -> int:
    """Locust against `url`; the shop is that of the state folder's data set."""
    ready = prepared(folder_of(state, options.data))
    n_items = ready.n_items if ready else options.items
    shop = options.out / "shop.json"
    Shop.of(load(options.data, state / "datasets", n_items)).write(shop)
    console.print(f"load on {url}: {options.shape}", markup=False)
    command = [sys.executable, "-m", "locust", "-f", "loadtests/load/locustfile.py", "--headless"]
    # With a file for them, Locust's own tables do not push ours off the screen.
    command += ["--loglevel", "WARNING", "--only-summary"]
    command += ["--json-file", str(options.out / "locust.json")]
    command += ["--processes", str(options.workers)] if options.workers else []
    command += ["--host", url, "--shop", str(shop), "--out", str(options.out)]
    command += ["--conditions", _conditions(options, n_items)]
    for name in ("shape", "rate", "seconds", "step_seconds", "step_factor", "p99_ms",
                 "fallback_share", "seed"):  # fmt: skip
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    # The key goes by the environment: a command line is everyone's to read.
    environment = {**os.environ, "VITRINE_KEY": options.key}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _conditions(options: argparse.Namespace, n_items: int) -> str:
    where = "of another machine or start" if options.url else "a stack of its own"
    return (
        f"{n_items} items, {where}; generator beside it on {os.cpu_count()} processors, load "
        f"average before the run {os.getloadavg()[0]:.1f}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--url", help="a running stack; without it, one is started")
    parser.add_argument("--data", default="grocery")
    parser.add_argument("--state", type=Path, default=Path(".vitrine"), help="of --url's stack")
    parser.add_argument("--items", type=int, default=1000, help="size of the catalogue")
    parser.add_argument("--keys", type=Path, help="JSON file of API keys for the stack")
    parser.add_argument("--key", default=os.environ.get("VITRINE_KEY", DEV_KEY))
    parser.add_argument("--shape", default="steady", choices=SHAPES)
    parser.add_argument("--rate", type=float, help="requests per second")
    parser.add_argument("--seconds", type=float, help="length of the judged part")
    parser.add_argument("--step-seconds", type=float, help="of the search for capacity; 0: none")
    parser.add_argument("--p99-ms", type=float, default=500.0)
    parser.add_argument("--fallback-share", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0, help="processes that generate load")
    parser.add_argument("--quick", action="store_true", help="under three minutes, rough figures")
    parser.add_argument("--out", type=Path, default=Path("build/reports"))
    options = parser.parse_args()
    options.rate = options.rate or (15.0 if options.quick else 20.0)
    options.seconds = options.seconds or (
        20.0 if options.quick else SOAK_S if options.shape == "soak" else 60.0
    )
    if options.step_seconds is None:
        options.step_seconds = 5.0 if options.quick else 15.0
    options.step_factor = 1.5 if options.quick else 1.25
    return options


if __name__ == "__main__":
    sys.exit(main())
