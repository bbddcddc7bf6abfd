"""Suggestions of a large catalogue: `python -m loadtests.bench.suggest 200000`.

How long a keystroke waits, how long the index takes to be made, and what it holds up meanwhile.
"""

import argparse
import json
import threading
import time

import numpy as np
import psutil

from features.catalog.counters import Counter, ItemCounters
from features.catalog.item import Item
from features.catalog.table import ItemTable
from serving.search.suggest.suggestions import Suggestions

NOW_S = 1.7e9
LIMIT = 8
_WORDS, _BRANDS, _SHELVES = 30_000, 3_000, 1_500
_TICK_S = 0.001


class Catalogue:
    """What suggestions read: titles of words that are as unevenly frequent as in real ones.

    A title has a brand, some words, a noun of its shelf and often a size.
    """

    def __init__(self, n_items: int, rng: np.random.Generator) -> None:
        words = _words(_WORDS, rng)
        brands = [word.title() for word in _words(_BRANDS, rng)]
        nouns = [
            f"{words[int(first)]} {words[int(second)]}"
            for first, second in rng.integers(200, 5_000, (_SHELVES, 2))
        ]
        drawn = (rng.zipf(1.15, size=(4 * n_items, 5)) - 1) % _WORDS
        shelves = (rng.zipf(1.3, size=n_items) - 1) % _SHELVES
        of_brand = (rng.zipf(1.3, size=n_items) - 1) % _BRANDS
        n_words = rng.integers(2, 6, n_items)
        self.items = [
            Item(
                item_id=f"item-{number}",
                title=" ".join(
                    [
                        brands[of_brand[number]],
                        *(words[word] for word in drawn[number, : n_words[number]].tolist()),
                        nouns[shelves[number]],
                        *([f"{int(rng.integers(1, 20))}00 ml"] if number % 3 == 0 else []),
                    ]
                ),
                category=f"Department {shelves[number] % 20} > {nouns[shelves[number]].title()}",
                brand=brands[of_brand[number]],
            )
            for number in range(n_items)
        ]
        self.table = ItemTable(self.items)
        self.counters = ItemCounters(n_items)
        sold = rng.choice(n_items, n_items // 3, replace=False)
        self.counters.counts[sold, Counter.PURCHASE, 2] = rng.pareto(1.2, len(sold))
        self.counters.at_s[sold] = NOW_S


def measure(n_items: int, seed: int = 0) -> dict[str, float]:
    """Figures of a catalogue of `n_items`, in milliseconds, seconds and MiB."""
    rng = np.random.default_rng(seed)
    catalogue = Catalogue(n_items, rng)
    before = _rss_mib()
    suggestions = Suggestions(catalogue)
    figures: dict[str, float] = {"items": n_items}
    started_s = time.perf_counter()
    suggestions.update(np.arange(n_items))
    figures["titles_read_s"] = time.perf_counter() - started_s
    for name in ("rebuild_first_s", "rebuild_s"):
        ticks = _Ticks()
        started_s = time.perf_counter()
        suggestions.rebuild(NOW_S)
        figures[name] = time.perf_counter() - started_s
        figures["others_wait_longest_ms"] = ticks.stop()
    figures["memory_mib"] = _rss_mib() - before
    for name, typed in _typed(catalogue.items, rng).items():
        took_ms, cpu_ms = [], []
        n_found = 0
        for text in typed:
            started_s, computed_s = time.perf_counter(), time.thread_time()
            n_found += bool(suggestions.suggest(text, LIMIT).suggestions)
            took_ms.append(1000 * (time.perf_counter() - started_s))
            cpu_ms.append(1000 * (time.thread_time() - computed_s))
        p50, p99 = np.percentile(took_ms, [50, 99])
        figures |= {
            f"{name}_p50_ms": float(p50),
            f"{name}_p99_ms": float(p99),
            f"{name}_max_ms": max(took_ms),
            f"{name}_cpu_p99_ms": float(np.percentile(cpu_ms, 99)),
            f"{name}_found": n_found / len(typed),
        }
    return figures


class _Ticks:
    """A thread that wants to run every millisecond, as those that answer requests do."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._longest_s = 0.0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> float:
        """The longest that it waited, ms."""
        self._done.set()
        self._thread.join()
        return 1000 * self._longest_s

    def _run(self) -> None:
        while not self._done.is_set():
            asked_s = time.perf_counter()
            time.sleep(_TICK_S)
            self._longest_s = max(self._longest_s, time.perf_counter() - asked_s - _TICK_S)


def _typed(items: list[Item], rng: np.random.Generator, n: int = 1_000) -> dict[str, list[str]]:
    """Beginnings, of 1 to 20 characters, of parts of titles as they are and mistyped."""
    right, wrong = [], []
    for row in rng.integers(len(items), size=n).tolist():
        words = items[row].title.lower().split()
        behind = " ".join(words[int(rng.integers(len(words))) :])
        right.append(behind[: int(rng.integers(1, 21))])
        long = list(behind[: int(rng.integers(4, 21))])
        at = int(rng.integers(max(len(long) - 1, 1)))
        match int(rng.integers(3)):
            case 0:
                long[at : at + 2] = reversed(long[at : at + 2])
            case 1:
                del long[at]
            case _:
                long[at] = "x"
        wrong.append("".join(long))
    return {"typed": right, "mistyped": wrong}


def _words(n: int, rng: np.random.Generator) -> list[str]:
    """Distinct words of syllables, short ones first."""
    syllables = [c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"]
    found: dict[str, None] = {}
    while len(found) < n:
        size = 1 + int(rng.integers(1, 2 + min(3, 1 + len(found) // 3_000)))
        ending = rng.choice(["", "n", "s", "r", "t", "l"])
        found["".join(rng.choice(syllables, size)) + str(ending)] = None
    return list(found)


def _rss_mib() -> float:
    return float(psutil.Process().memory_info().rss / 2**20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", type=int, nargs="?", default=200_000)
    print(json.dumps(measure(parser.parse_args().items), indent=1))
