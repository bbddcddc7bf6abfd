"""What a second version costs shoppers: latency of rankings without one, with one as the shadow of
20 % of them, and with all of them interleaved.

    python -m loadtests.experiments.shadow_cost

Starts one stack with a candidate version beside the one in use. Its shadow takes a share of the
requests of one page, and the requests of another are shared by both versions, so that blocks of
load without it (twice, to see what two blocks differ by anyway) and with it alternate in random
order in the same processes. A block asks at a rate that
leaves the machine room, whatever becomes of what was asked before. Prints latencies, ratios with
intervals over the rounds, and what became of the shadow's requests; writes
build/reports/shadow-cost.json. Exit status 1 when the shadow surely makes the p99 longer, or ranked
too little to say.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from features.behavior.replay import item_table
from features.datasets.registry import load
from features.telemetry.progress import tracked
from loadtests.bench.__main__ import settle
from loadtests.bench.clients import Answers, Endpoint, closed_loop, open_loop
from loadtests.bench.texts import Texts
from loadtests.load.shop import Shop
from loadtests.stack import RunningStack, fresh_state, run_stack
from serving.local.machine import free_port
from serving.local.models import GROCERY_BUNDLE, TRITON_PYTHON, change
from serving.local.state_folder import folder_of
from serving.training.publish.repository import offered

DATA, N_ITEMS, CANDIDATES = "grocery", 2_000, 100
WITHOUT, AGAIN, SHADOWED, INTERLEAVED = "without", "without, again", "shadow", "interleaved"
PAGES = {WITHOUT: "plain", AGAIN: "plain", SHADOWED: "shadowed", INTERLEAVED: "interleaved"}
SHARE = 0.2  # of the shadowed requests
QUANTILES = (0.5, 0.99)
LOAD = 0.5  # of what one caller after another gets
_BOOST = {"match": {"brand": "Store Brand"}, "lift": 0.5, "reason": "to order otherwise"}
_PAUSE_S = 1.0  # what a block left behind is done before the next
_RESAMPLED = 1_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of a quantile of latency with the shadow to the one without, and its 95 % interval."""

    mean: float
    low: float
    high: float


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--rounds", type=int, default=30, help=f"of {len(PAGES)} blocks, at least two"
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="of a block")
    parser.add_argument("--per-s", type=float, help="rankings; half of what a caller gets, if none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/reports/shadow-cost.json"))
    given = parser.parse_args()
    if given.rounds < 2:
        parser.error("--rounds: an interval needs at least two")
    console = Console(width=None if sys.stdout.isatty() else 120)
    state, rng = fresh_state(DATA, N_ITEMS), Random(given.seed)
    declare(folder_of(state, DATA))
    blocks: dict[str, list[Answers]] = {name: [] for name in PAGES}
    for stack in run_stack(state, free_port(), "--data", DATA):
        texts = _texts(state, given.seed)
        settle(stack)
        warm = [closed_loop(endpoint(stack, texts, page), 1, 10.0) for page in PAGES.values()]
        per_s = given.per_s or LOAD * len(warm[0].latencies_ms) / warm[0].spent_s
        before = outcomes(stack)
        for number in tracked(range(given.rounds), "rounds", console):
            for name in rng.sample([*PAGES], len(PAGES)):
                asked = endpoint(stack, texts, PAGES[name])
                seed = given.seed + number  # the same arrivals for all
                blocks[name].append(open_loop(asked, per_s, given.seconds, seed))
                time.sleep(_PAUSE_S)
        counted = outcomes(stack) - before
    report = told(blocks, counted, per_s)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=2) + "\n")
    _show(report, console)
    console.print(f"report: {given.out}", markup=False)
    return 1 if report["costs"] or not report["ranked"] else 0


def declare(folder: Path) -> None:
    """Publish the bundle a second time, as a candidate, and have it on two pages."""
    arguments = ["ranker", "--bundle", str(GROCERY_BUNDLE), "--candidate"]
    arguments += ["--item-texts", str(folder / "item_texts.jsonl")]
    change(folder, arguments, TRITON_PYTHON)
    (version,) = offered(folder / "models", "ranker")
    rules = folder / "rules.yaml"
    rules.write_text(with_experiments(rules.read_text(), str(version)))


def with_experiments(rules: str, version: str) -> str:
    """The text of the rules with a shadow and an interleave for their only experiments."""
    content = yaml.safe_load(rules) or {}
    content["experiments"] = [
        {
            "key": "shadowed", "kind": "shadow", "status": "running", "coverage": SHARE,
            "targeting": {"pages": [PAGES[SHADOWED]]},
            "arms": [{"key": "candidate", "model_version": version}],
        },
        {
            "key": "interleaved", "kind": "interleave", "status": "running",
            "targeting": {"pages": [PAGES[INTERLEAVED]]},
            "arms": [
                {"key": "old"},
                # The same bundle would order alike, and nothing would be shared.
                {"key": "candidate", "model_version": version, "rules": {"boosts": [_BOOST]}},
            ],
        },
    ]  # fmt: skip
    text: str = yaml.safe_dump(content)
    return text


def endpoint(stack: RunningStack, texts: Texts, page: str) -> Endpoint:
    """Rankings of a known shopper with a query that no cache has seen, on a page."""
    user_id = stack.sample["user_id"]

    def body() -> dict[str, Any]:
        request = texts.ask(CANDIDATES)
        candidates = [{"item_id": texts.item_ids[row]} for row in request.candidates]
        return {
            "user_id": user_id, "query": request.query, "candidates": candidates,
            "budget_ms": 5_000, "context": {"page": page},
        }  # fmt: skip

    headers = {"authorization": "Bearer dev"}
    return Endpoint(f"{stack.url}/v1/rank", headers, body, _ranked_by)


def _ranked_by(answer: dict[str, Any]) -> str:
    """Of an interleaved slate the version names both."""
    return f"{answer['route']} {answer.get('model_version')}"


def outcomes(stack: RunningStack) -> Counter[str]:
    """What became of the shadow's requests so far, by outcome."""
    return counted_in(stack.client.get("/metrics").text)


def counted_in(text: str) -> Counter[str]:
    """The same, of the text of /metrics."""
    found = re.findall(r'^vitrine_shadow_rankings_total\{.*outcome="(\w+)".*\} (\S+)$', text, re.M)
    return Counter({outcome: int(float(count)) for outcome, count in found})


def told(blocks: dict[str, list[Answers]], counted: Counter[str], per_s: float) -> dict[str, Any]:
    """The whole report: `costs`, whether the p99 is surely longer; `ranked`, whether the shadow did
    enough for that to say anything: half of its share."""
    asked = sum(len(block.latencies_ms) for block in blocks[SHADOWED])
    latencies = {
        name: [np.array(block.latencies_ms) for block in each] for name, each in blocks.items()
    }
    ratios = {
        f"{name}, p{100 * share:g}": ratio(latencies[name], latencies[WITHOUT], share)
        for name in (AGAIN, SHADOWED, INTERLEAVED)
        for share in QUANTILES
    }
    return {
        "per_s": per_s,
        "ms": {
            name: {f"p{100 * q:g}": float(np.quantile(np.concatenate(each), q)) for q in QUANTILES}
            for name, each in latencies.items()
        },
        "rankings": {name: sum(map(len, each)) for name, each in latencies.items()},
        "ranked_by": {
            name: dict(sum((block.kinds for block in each), Counter()))
            for name, each in blocks.items()
        },
        "refused": {name: sum(block.refused for block in each) for name, each in blocks.items()},
        "ratios": {
            name: {"mean": each.mean, "low": each.low, "high": each.high}
            for name, each in ratios.items()
        },
        "shadow": dict(counted),
        "costs": ratios[f"{SHADOWED}, p99"].low > 1,
        "ranked": counted["ok"] >= SHARE / 2 * asked,
    }  # fmt: skip


def ratio(
    those: Sequence[np.ndarray[Any, Any]],
    others: Sequence[np.ndarray[Any, Any]],
    share: float,
    seed: int = 0,
) -> Ratio:
    """Of a quantile over all rounds; the interval draws rounds, which pair neighbours in time."""
    rng = np.random.default_rng(seed)

    def of(rounds: Sequence[int]) -> float:
        one, other = (np.concatenate([part[n] for n in rounds]) for part in (those, others))
        return float(np.quantile(one, share) / np.quantile(other, share))

    drawn = [of(rng.integers(0, len(those), len(those)).tolist()) for _ in range(_RESAMPLED)]
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Ratio(of(range(len(those))), low, high)


def _texts(state: Path, seed: int) -> Texts:
    dataset = load(DATA, state / "datasets", N_ITEMS)
    table, shop = item_table(dataset), Shop.of(dataset)
    texts = [table.items[row].ranker_text for row in table.rows(shop.item_ids).tolist()]
    return Texts(shop.item_ids, texts, shop.queries, seed)


def _show(report: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{report['per_s']:.1f} rankings a second", title_justify="left")
    for name in ("block", "rankings", "p50, ms", "ratio [95 %]", "p99, ms", "ratio [95 %]"):
        table.add_column(name, justify="left" if name == "block" else "right")
    for name, ms in report["ms"].items():
        cells = [name, f"{report['rankings'][name]:,}"]
        for quantile in ("p50", "p99"):
            found = report["ratios"].get(f"{name}, {quantile}")
            between = (
                f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]" if found else ""
            )
            cells += [f"{ms[quantile]:.1f}", between]
        table.add_row(*cells)
    console.print(table)
    console.print(f"the shadow's requests: {report['shadow']}", markup=False)
    console.print(f"ranked by: {report['ranked_by'][INTERLEAVED]}, interleaved", markup=False)
    if not report["ranked"]:
        console.print("the shadow ranked too little to say anything", markup=False)


if __name__ == "__main__":
    sys.exit(main())
