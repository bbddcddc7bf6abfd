"""Do contributions add up to the score, and what do they cost? `--help` tells how to ask.

Publishes a bundle into a folder of its own, as it would be served, and asks that version about the
bundle's held-out slates: as they are, without what is known of the shopper, and as new items.
Runs in the model server's environment (.venv-triton).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.models.runtime.ranking import VersionRanker
from serving.training.publish.models import publish_ranker

BUNDLES = Path(__file__).resolve().parents[1] / "serving" / "training" / "bundles"
TOLERANCE, SLATE, ROUNDS = 1e-4, 20, 60
_PER_REQUEST = ("QUERY_TOKENS", "USER_HISTORY_COUNTS", "SESSION_HISTORY_COUNTS", "BOUGHT_COUNTS")

Batch = dict[str, npt.NDArray[Any]]


def held_out(bundle: Path) -> Batch:
    """The ranker's tensors of the held-out slates, to be explained."""
    with np.load(bundle / "held_out.npz") as stored:
        batch = {name: stored[name] for name in stored.files if name != "LABELS"}
    return {**batch, "EXPLAINED": np.ones(len(batch["ROW_COUNTS"]), np.int32)}


def without(batch: Batch, names: Sequence[str], prefix: str) -> Batch:
    """The batch as if nothing were known in the columns whose names begin with `prefix`."""
    features = batch["FEATURES"].copy()
    features[:, [place for place, name in enumerate(names) if name.startswith(prefix)]] = np.nan
    return {**batch, "FEATURES": features}


def first(batch: Batch, n: int) -> Batch:
    """The first request, with its first `n` candidates and all of its histories."""
    n_history = sum(int(batch[name][0]) for name in _PER_REQUEST[1:])
    rows = {"PURCHASES": int(batch["BOUGHT_COUNTS"][0])}
    rows |= dict.fromkeys(("HISTORY_KEYS", "HISTORY_TOKENS"), n_history)
    rows |= dict.fromkeys(("ITEM_KEYS", "ITEM_TOKENS", "FEATURES"), n)
    cut = {name: values[: rows.get(name, 1)] for name, values in batch.items()}
    return {**cut, "ROW_COUNTS": np.array([n], np.int32)}


def cost_ms(
    ranker: VersionRanker, batch: Batch, clock: Callable[[], float]
) -> tuple[float, float, float]:
    """Fastest and median of what explaining takes beside scoring, and the fastest scoring."""
    plain = {**batch, "EXPLAINED": np.zeros(1, np.int32)}
    spent = []
    for _ in range(ROUNDS):
        times = []
        for asked in (plain, batch):
            started_s = clock()
            ranker.judge(asked)
            times.append(1000 * (clock() - started_s))
        spent.append(times)
    scored, told = np.array(spent).T
    return told.min() - scored.min(), float(np.median(told) - np.median(scored)), scored.min()


def main() -> int:
    """1 when a sum is off by more than TOLERANCE."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLES / "grocery")
    bundle: Path = parser.parse_args().bundle
    names = json.loads((bundle / "training.json").read_text())["feature_names"]
    with tempfile.TemporaryDirectory() as folder:
        number = publish_ranker(Path(folder), bundle)
        ranker = VersionRanker(Path(folder) / "ranker" / str(number))
        batch = held_out(bundle)
        asked = {
            "held out": batch,
            "nobody known": without(without(batch, names, "user_"), names, "session_"),
            "new items": without(batch, names, "item_"),
        }
        n, worst = 0, 0.0
        for name, each in asked.items():
            scores, _, told = ranker.judge(each)
            if told is None:
                raise SystemExit("the version tells no contributions")
            off = float(np.abs(told.sum(axis=1, dtype=np.float64) - scores).max())
            print(f"{name}: {len(scores)} items, largest difference {off:.1e}")
            n, worst = n + len(scores), max(worst, off)
        slate = first(batch, SLATE)
        clocks = {"of processor time": time.process_time, "by the clock": time.perf_counter}
        costs = {name: cost_ms(ranker, slate, clock) for name, clock in clocks.items()}
    print(f"{n} items: largest difference {worst:.1e}, bar {TOLERANCE:g}")
    for name, (fastest, median, scored) in costs.items():
        beside = f"beside {scored:.1f} ms of scoring"
        print(f"{SLATE} items: {fastest:.1f} ms {name} {beside}, median {median:.1f}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    raise SystemExit(main())
