"""Stand-ins for what serving talks to, each by its protocol, and a small shop to rank."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from features.arrays import FloatArray
from features.behavior.fold import fold
from features.behavior.matrix import FEATURE_NAMES, Shopper
from features.behavior.state import SESSION_BOUNDS, USER_BOUNDS, BehaviorState
from features.catalog.counters import COUNTS_SHAPE, Counter
from features.catalog.item import Item
from features.catalog.item_rows import ItemRows
from features.catalog.prices import Prices
from features.catalog.store import CatalogChanges, Edit
from features.controls.store import KEPT_MINUTES
from features.events.event import BehaviorEvent, EventType
from features.events.log import (
    AppendResult,
    ChangesMissedError,
    ItemChanges,
    LogEntry,
    RankingRecord,
)
from features.events.space import Space, Trimmed
from serving.experiments.assignment import Assignment
from serving.models.batcher import RankerJob, RankerReply
from serving.models.contract import PART_NAMES, VECTOR_SIZE, Tensors
from serving.models.tokenizer import Tokenizer
from serving.models.triton import RankerScores
from serving.ranking.request import Context, Given
from serving.ranking.values import Candidates, FeatureMatrix, Slate
from serving.shops.items import ItemCache
from serving.shops.rules import Rules
from serving.types import Route, Scores

NOW_S = 1_790_000_000.0
MAX_ITEM_TOKENS = 16
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_tokenizer(path: Path) -> Path:
    """A BERT tokenizer that spells: every letter and digit is a token."""
    letters = ascii_lowercase + digits
    words = [*_SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path))
    return path


GROCERIES = (
    Item("milk", "Whole milk", category="Grocery > Dairy > Milk", brand="Meadow", price=1.2),
    Item("oat", "Oat drink", category="Grocery > Dairy > Milk", brand="Oatly", price=2.4),
    Item("butter", "Salted butter", category="Grocery > Dairy > Butter", brand="Meadow", price=2.9),
    Item("bread", "Rye bread", category="Grocery > Bakery > Bread", brand="Crust", price=3.5),
    Item("glass", "Water glass", category="Home > Kitchen > Glasses", brand="Clear", price=4.0),
    Item("dress", "Summer dress", category="Clothing > Dresses", brand="Linen", price=49.0),
    Item("soap", "Olive soap", category="Care", brand="Linen", price=5.0, description="hand made"),
    Item("plain", "Thing without facts"),
)


def groceries(
    tokenizer: Tokenizer, items: Sequence[Item] = GROCERIES, prices: Prices | None = None
) -> ItemCache:
    """A cache of items without any behaviour."""
    found = ItemCache(tokenizer, MAX_ITEM_TOKENS, prices)
    found.upsert(items)
    return found


def state(
    *seen: str, kind: EventType = EventType.VIEW, items: ItemCache | None = None, user: bool = True
) -> BehaviorState:
    """A shopper who did `kind` with these items, one a minute, the last one a minute ago."""
    bounds = USER_BOUNDS if user else SESSION_BOUNDS
    found = BehaviorState()
    for place, item_id in enumerate(seen):
        at_s = NOW_S - 60.0 * (len(seen) - place)
        facts = items.table.facts.get(item_id) if items else None
        fold(found, BehaviorEvent(f"e{place}", kind, at_s, item_id=item_id), facts, bounds)
    return found


def context(**fields: Any) -> Context:
    """A request with half a second."""
    given: dict[str, Any] = {
        "ranking_id": "r1",
        "at_s": NOW_S,
        "deadline_s": time.monotonic() + 0.5,
    }
    return Context(**{**given, **fields})


def candidates(*item_ids: str, items: ItemCache | None = None) -> Candidates:
    """Candidates without retrieval scores; outside the catalogue without `items`."""
    rows = items.table.rows(item_ids) if items else np.full(len(item_ids), -1, np.int64)
    return Candidates(list(item_ids), rows, np.full(len(item_ids), np.nan, np.float32))


def given(*item_ids: str) -> Given:
    """A source whose candidates the caller brings."""
    return Given(list(item_ids), np.full(len(item_ids), np.nan, np.float32))


def slate(features: FeatureMatrix, scored: Scores, *item_ids: str, **fields: Any) -> Slate:
    """A slate in the order of the candidates, by the model; `fields` of the context."""
    n = len(item_ids)
    return Slate(
        context(**fields),
        Assignment(Rules()),
        candidates(*item_ids),
        features,
        scored,
        scored.values,
        np.arange(n),
        np.ones(n, np.float32),
        {},
        Route.MODEL,
    )


def matrix(n: int, **columns: Any) -> FeatureMatrix:
    """Features of `n` candidates of which nothing is known but `columns` (by feature name)."""
    fields = {"category", "brand", "exposure", "rows", "prior"}
    looks = columns.pop("looks", None)
    values = np.full((n, len(FEATURE_NAMES)), np.nan, np.float32)
    for name, column in columns.items():
        if name not in fields:
            values[:, FEATURE_NAMES.index(name)] = column
    given = {name: np.asarray(columns[name]) for name in fields & columns.keys()}
    return FeatureMatrix(
        rows=given.get("rows", np.full(n, -1, np.int64)),
        values=values,
        category=given.get("category", np.full((n, 3), -1, np.int32)),
        brand=given.get("brand", np.full(n, -1, np.int32)),
        exposure=given.get("exposure", np.full(n, np.inf, np.float32)),
        prior=given.get("prior"),
        looks=looks,
    )


def scores(*values: float) -> Scores:
    """Scores without parts."""
    return Scores(np.array(values, np.float32), np.zeros((len(values), 0), np.float32), ())


@dataclass
class FakeShoppers:
    """A `shop.ShopperReader`."""

    users: dict[str, BehaviorState] = field(default_factory=dict)
    sessions: dict[str, BehaviorState] = field(default_factory=dict)
    error: Exception | None = None
    delay_s: float = 0.0
    reads: int = 0

    def read_shopper(
        self, user_id: str | None, session_id: str | None, now_s: float | None = None
    ) -> Shopper:
        self.reads += 1
        if self.delay_s:
            time.sleep(self.delay_s)
        if self.error:
            raise self.error
        return Shopper(self.users.get(user_id or ""), self.sessions.get(session_id or ""))


def score_rows(batch: Tensors) -> FloatArray:
    """What the fake model thinks of each row: only the row itself matters."""
    text = batch["ITEM_TOKENS"].sum(axis=1) % 97 + batch["ITEM_KEYS"] % 1013
    scores: FloatArray = text + np.nan_to_num(batch["FEATURES"]).sum(axis=1)
    return scores.astype(np.float32)


@dataclass
class FakeModel:
    """A `batcher.Model` that waits for `gate`, fails with `error`, or answers `score_rows`."""

    error: BaseException | None = None
    answer: RankerScores | None = None
    gate: asyncio.Event | None = None
    batches: list[Tensors] = field(default_factory=list)
    budgets_s: list[float] = field(default_factory=list)

    async def score(
        self, batch: Tensors, budget_s: float, traceparent: str | None = None
    ) -> RankerScores:
        self.batches.append(batch)
        self.budgets_s.append(budget_s)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            return self.answer
        scores = score_rows(batch)
        return RankerScores(scores, np.repeat(scores[:, None], len(PART_NAMES), axis=1), "7")


@dataclass
class FakeRanker:
    """A `RankerClient`: the later in the request, the better, unless told otherwise.

    loaded: versions beside the one in use, "7"; these put the first of the request first.
    errors: of one version alone; None: the one in use.
    """

    error: Exception | None = None
    errors: dict[str | None, Exception] = field(default_factory=dict)
    delay_s: float = 0.0
    loaded: set[str] = field(default_factory=set)
    jobs: list[RankerJob] = field(default_factory=list)

    async def score(self, job: RankerJob, budget_s: float) -> RankerReply:
        self.jobs.append(job)
        if self.delay_s:
            async with asyncio.timeout(budget_s):
                await asyncio.sleep(self.delay_s)
        if error := self.error or self.errors.get(job.model_version):
            raise error
        n = job.rows
        version = job.model_version if job.model_version in self.loaded else "7"
        values = np.arange(n, dtype=np.float32)[:: 1 if version == "7" else -1].copy()
        parts = np.repeat(values[:, None] / np.float32(max(n, 1)), len(PART_NAMES), axis=1)
        return RankerReply(Scores(values, parts, PART_NAMES, version), 0.001, 0.002, n, 1)


@cache
def _token_vector(token: int) -> FloatArray:
    return np.random.default_rng(token).normal(size=VECTOR_SIZE).astype(np.float32)


def token_vectors(tokens: npt.NDArray[np.int16]) -> FloatArray:
    """Unit vectors of texts, the same for the same bag of tokens; zeros for no text."""
    out = np.zeros((len(tokens), VECTOR_SIZE), np.float32)
    for place, row in enumerate(tokens.tolist()):
        words = [token for token in row if token > 3]
        if words:
            total = np.sum([_token_vector(token) for token in words], axis=0)
            out[place] = total / np.linalg.norm(total)
    return out


@dataclass
class FakeVectors:
    """A `retrieval.VectorSource` and an encoder to be called from a thread."""

    tokenizer: Tokenizer
    error: Exception | None = None
    asked: int = 0
    calls: int = 0
    longest: int = 0  # texts in one call

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        return self.encode_blocking(texts)

    def encode_blocking(self, texts: Sequence[str]) -> FloatArray:
        self.calls += 1
        if self.error:
            raise self.error
        self.asked += len(texts)
        self.longest = max(self.longest, len(texts))
        return token_vectors(self.tokenizer.tokens(texts, MAX_ITEM_TOKENS))


@dataclass
class FakeEncoder:
    """An `Encoder`."""

    tokenizer: Tokenizer
    error: Exception | None = None
    calls: list[int] = field(default_factory=list)  # texts of each

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        self.calls.append(len(texts))
        if self.error:
            raise self.error
        return token_vectors(self.tokenizer.tokens(texts, 32))


@dataclass
class FakeLog:
    """An event log in memory: `intake.EventWriter` and `shop.ShopLog`."""

    events: dict[str, BehaviorEvent] = field(default_factory=dict)
    rankings: list[RankingRecord] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    erased_since: list[float | None] = field(default_factory=list)
    error: Exception | None = None
    gate: threading.Event | None = None

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        if self.gate:
            self.gate.wait(5)
        if self.error:
            raise self.error
        before = len(self.events)
        for event in events:
            self.events.setdefault(event.event_id, event)
        accepted = len(self.events) - before
        return AppendResult(accepted, len(events) - accepted)

    def append_rankings(self, rankings: Sequence[RankingRecord]) -> None:
        if self.error:
            raise self.error
        self.rankings.extend(rankings)

    def erase_user(self, user_id: str, since_s: float | None = None) -> int:
        self.erased.append(user_id)
        self.erased_since.append(since_s)
        return len(self.erased)

    def read(self, after_seq: int, limit: int) -> list[tuple[int, LogEntry]]:
        told: list[tuple[int, LogEntry]] = [*enumerate(self.events.values(), 1)]
        return told[after_seq : after_seq + limit]

    def read_rankings(self, after_seq: int, limit: int) -> list[tuple[int, RankingRecord]]:
        return [*enumerate(self.rankings, 1)][after_seq : after_seq + limit]

    def status(self, consumer: str) -> bytes | None:
        return b'{"lag_s": 0.5}'

    def last_seq(self) -> int:
        if self.error:
            raise self.error
        return len(self.events)

    def offset(self, consumer: str) -> int:
        return 0


@dataclass
class FakeSpace:
    """A `LogSpace` of 1,000 bytes, of which `taken` are."""

    taken: int = 0
    error: Exception | None = None

    def fill(self) -> float:
        if self.error:
            raise self.error
        return self.taken / 1_000

    def measure(self) -> Space:
        return Space(self.taken, 600, self.taken, 1_000)

    def trim(self, n_bytes: int, limit: int = 500) -> Trimmed:
        self.taken -= n_bytes
        return Trimmed(1, 0)

    def close(self) -> None:
        pass


@dataclass
class FakeCatalog:
    """A catalogue in memory: `upkeep.CatalogKeeper` and `refresh.CatalogFeed`."""

    items: dict[str, Item | None] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    def upsert(self, items: Sequence[Item]) -> int:
        for item in items:
            self.items[item.item_id] = item
            self.changes.append(item.item_id)
        return len(self.changes)

    def edit(self, edits: Sequence[tuple[str, Edit]]) -> None:
        for item_id, edit in edits:
            made = edit(self.items.get(item_id))
            if made is not None:
                self.upsert([made])

    def get(self, item_id: str) -> Item | None:
        return self.items.get(item_id)

    def page(self, after: str, limit: int) -> list[Item]:
        there = [item for item in self.items.values() if item is not None and item.item_id > after]
        return sorted(there, key=lambda item: item.item_id)[:limit]

    def delete(self, item_id: str) -> bool:
        there = self.items.get(item_id) is not None
        if there:
            self.items[item_id] = None
            self.changes.append(item_id)
        return there

    def changed_since(self, change: int) -> CatalogChanges:
        changed = dict.fromkeys(self.changes[change:])
        found = [(item_id, self.items[item_id]) for item_id in changed]
        return CatalogChanges(
            len(self.changes),
            [item for _, item in found if item is not None],
            [item_id for item_id, item in found if item is None],
        )


@dataclass
class FakeControls:
    """`Controls` in memory."""

    documents: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    tallies: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    error: Exception | None = None

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        self._fail()
        self.documents.setdefault(kind, {})[key] = dict(document)

    def put_all(self, kind: str, documents: Mapping[str, Mapping[str, Any]]) -> None:
        for key, document in documents.items():
            self.put(kind, key, document)

    def swap(
        self, kind: str, key: str, before: Mapping[str, Any] | None, document: Mapping[str, Any]
    ) -> bool:
        if self.all(kind).get(key) != before:
            return False
        self.put(kind, key, document)
        return True

    def delete(self, kind: str, key: str) -> None:
        self._fail()
        self.documents.get(kind, {}).pop(key, None)

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        self._fail()
        return dict(self.documents.get(kind, {}))

    def add(
        self, name: str, minute: int, counts: Mapping[str, float], kept: int = KEPT_MINUTES
    ) -> None:
        self.add_all(name, {minute: counts}, kept)

    def add_all(
        self, name: str, counts: Mapping[int, Mapping[str, float]], kept: int = KEPT_MINUTES
    ) -> None:
        self._fail()
        for minute, of_minute in counts.items():
            counted = self.tallies.setdefault(name, {}).setdefault(minute, {})
            for each, amount in of_minute.items():
                counted[each] = counted.get(each, 0.0) + amount

    def read(self, name: str, since_minute: int) -> dict[int, dict[str, float]]:
        self._fail()
        counted = self.tallies.get(name, {})
        return {minute: counts for minute, counts in counted.items() if minute >= since_minute}

    def compact(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def _fail(self) -> None:
        if self.error:
            raise self.error


@dataclass
class FakeCounters:
    """Item counters: `refresh.CounterFeed` and `refresh.ItemReader`."""

    purchases: dict[str, float] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    forgotten: int = 0  # changes that are not told any more
    error: Exception | None = None

    def buy(self, item_id: str, times: float) -> None:
        self.purchases[item_id] = self.purchases.get(item_id, 0.0) + times
        self.changed.append(item_id)

    def changed_items_since(self, change: int, limit: int = 10_000) -> ItemChanges:
        if 0 < change < self.forgotten:
            raise ChangesMissedError
        end = min(change + limit, len(self.changed))
        return ItemChanges(end, self.changed[change:end])

    def read_items(self, item_ids: Sequence[str]) -> ItemRows:
        if self.error:
            raise self.error
        n = len(item_ids)
        counts = np.zeros((n, *COUNTS_SHAPE), np.float32)
        bought = np.array([self.purchases.get(item_id, 0.0) for item_id in item_ids])
        counts[:, Counter.PURCHASE] = bought[:, None]
        at_s = np.where(bought > 0, NOW_S, 0.0)
        first_s = np.where(bought > 0, NOW_S, np.inf)
        return ItemRows(tuple(item_ids), counts, at_s, first_s, np.zeros(n, np.int64))
