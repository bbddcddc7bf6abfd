"""What grows with the catalogue and with the shoppers, each size in a process of its own."""

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from features.behavior.aggregator import Aggregator
from features.behavior.matrix import Shopper, behavior_features
from features.catalog.item import Item, ItemFacts, content_key
from features.events.event import BehaviorEvent, EventType
from features.store.feature_store import apply, open_store
from features.store.online import OnlineFeatures
from features.store.settings import StoreSettings
from serving.local.models import tokenizer_path
from serving.models.contract import VECTOR_SIZE
from serving.models.runtime.text_vectors import VectorMemory
from serving.models.tokenizer import Tokenizer
from serving.search.retrieval import Retrieval
from serving.shops.items import ItemCache

N_CANDIDATES = 100
_CHUNK = 2_000  # items at a time, as serving/shops/refresh.py takes them
_MAX_ITEM_TOKENS = 48


def grown(n_items: int) -> dict[str, float]:
    """Figures of a catalogue of `n_items`, measured in a fresh process."""
    command = [sys.executable, "-m", "loadtests.bench.growth", str(n_items)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"a catalogue of {n_items}:\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(n_items: int) -> dict[str, float]:
    """Memory (MiB) and time (seconds, milliseconds) of what holds a row for each item."""
    rng = np.random.default_rng(0)
    items = _items(n_items, rng)
    figures: dict[str, float] = {"items": n_items}
    before = _rss_mib()
    memory = VectorMemory(max(n_items, 200_000), VECTOR_SIZE)
    vectors = _Vectors(rng)
    texts = [item.ranker_text for item in items]
    keys = np.array([content_key(text) for text in texts], np.int64)
    started_s = time.perf_counter()
    for start in range(0, n_items, _CHUNK):
        part = keys[start : start + _CHUNK]
        memory.put(part, vectors.vectors(texts[start : start + _CHUNK]))
    figures["item_states_s"] = time.perf_counter() - started_s
    figures["item_states_mib"] = _rss_mib() - before
    chosen = rng.choice(n_items, N_CANDIDATES, replace=False)
    figures["find_100_ms"] = _median_ms(lambda: memory.find(keys[chosen]))

    before = _rss_mib()
    cache = ItemCache(Tokenizer(tokenizer_path()), _MAX_ITEM_TOKENS)
    retrieval = Retrieval(cache, vectors)
    started_s = time.perf_counter()
    for start in range(0, n_items, _CHUNK):
        cache.upsert(items[start : start + _CHUNK])
    figures["catalogue_s"] = time.perf_counter() - started_s
    rows = np.arange(n_items)
    figures["lexical_index_s"] = _seconds(lambda: retrieval.update_words(rows))
    figures["dense_index_s"] = _seconds(lambda: retrieval.update_vectors(rows))
    figures["ingress_mib"] = _rss_mib() - before
    figures["features_100_ms"] = _median_ms(
        lambda: behavior_features(Shopper(), cache.table, cache.counters, chosen, 1.7e9)
    )
    query, vector = items[7].title, vectors.vectors(texts[:1])[0]
    figures["search_ms"] = _median_ms(lambda: retrieval.search(query, vector, None, N_CANDIDATES))
    return figures


class _Vectors:
    """Random unit vectors in the encoder's place: what an index costs does not depend on them."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One for each text."""
        drawn = self._rng.standard_normal((len(texts), VECTOR_SIZE), np.float32)
        unit: npt.NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return unit


def shoppers(counts: Sequence[int]) -> list[dict[str, float]]:
    """Reading one shopper from Feast's SQLite store as it fills up to each of `counts`, rising."""
    fold = Aggregator({"item": 0}, {"item": ItemFacts(("A", "A > B"), "C", 1.0)})
    for seq in range(1, 61):
        event = BehaviorEvent(f"e{seq}", EventType.CLICK, 1.7e9 + seq, "u", "s", f"item-{seq}")
        fold.apply(event, seq)
    state, found, written = fold.users["u"], [], 0
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as made:
        settings = StoreSettings(state=Path(made))
        store = open_store(settings)
        apply(store, settings)
        online = OnlineFeatures(store)
        for count in counts:
            for start in range(written, count, _CHUNK):
                ids = range(start, min(start + _CHUNK, count))
                online.write_users({f"user-{number}": state for number in ids})
            written = count
            asked = iter(rng.integers(count, size=1_000).tolist())
            read_ms = _median_ms(lambda: online.read_shopper(f"user-{next(asked)}", "s"), 200)  # noqa: B023
            size_mib = settings.online_path.stat().st_size / 2**20
            found.append({"shoppers": count, "read_ms": read_ms, "store_mib": size_mib})
        online.close()
    return found


def _items(n: int, rng: np.random.Generator) -> list[Item]:
    """Items whose titles have five of 5,000 words, in 200 categories, of 300 brands."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = ["".join(rng.choice(letters, int(size))) for size in rng.integers(3, 9, 5_000)]
    words = rng.integers(len(vocabulary), size=(n, 5)).tolist()
    return [
        Item(
            item_id=f"item-{number}",
            title=" ".join(vocabulary[word] for word in chosen),
            category=f"department {number % 20} > shelf {number % 200}",
            brand=f"brand {number % 300}",
            price=1.0 + number % 90,
        )
        for number, chosen in enumerate(words)
    ]


def _rss_mib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss / 2**20)


def _seconds(call: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s


def _median_ms(call: Callable[[], object], n: int = 50) -> float:
    return 1000 * float(np.median([_seconds(call) for _ in range(n)]))


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
