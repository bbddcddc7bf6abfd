"""The same texts for all who are measured: titles, queries, and what a shopper saw last."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers

from features.arrays import FloatArray
from features.catalog.item import content_key
from serving.models.batcher import RankerJob
from serving.models.contract import request_tensors
from serving.models.tokenizer import Tokenizer
from serving.training.publish.texts import TokenArray, tokenize

N_RECENT = 3  # titles of a plain cross-encoder's context: more would only make it slower
MAX_PAIR_TOKENS = 64
N_QUERY, N_ITEM = 32, 48  # tokens
N_USER, N_SESSION, N_BOUGHT = 20, 8, 64  # items that a version is asked with at most
_SEPARATOR = 102  # [SEP]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: what is wanted, what was seen last, and the candidates, by place in the shop."""

    query: str
    recent: list[int]
    candidates: list[int]


class Texts:
    """Draws requests from a shop; `texts[i]` is what a ranker reads of item i."""

    def __init__(
        self, item_ids: Sequence[str], texts: Sequence[str], queries: Sequence[str], seed: int
    ) -> None:
        self.item_ids = list(item_ids)
        self.texts = list(texts)
        self._queries = list(queries)
        self._rng = np.random.default_rng(seed)

    def ask(self, n: int) -> Request:
        """A request of `n` candidates, with a query that no cache has seen."""
        rng = self._rng
        word = "".join(rng.choice(list("abcdefghijklmnoprstuvwz"), 6).tolist())
        drawn = rng.choice(len(self.texts), n + N_RECENT, replace=False).tolist()
        query = f"{self._queries[int(rng.integers(len(self._queries)))]} {word}"
        return Request(query, drawn[:N_RECENT], drawn[N_RECENT:])

    def context(self, request: Request) -> str:
        """All that a cross-encoder is told of the shopper, as one text."""
        return ", ".join([request.query, *(self.texts[row] for row in request.recent)])

    def pairs(self, request: Request, tokenizer: tokenizers.Tokenizer) -> TokenArray:
        """`[CLS] context [SEP] item [SEP]` of each candidate, zero-padded: int16 (n, longest).

        Too long a pair loses the end of its context, which was seen longest ago.
        """
        context = tokenizer.encode(self.context(request)).ids[:-1]
        rows = []
        for row in request.candidates:
            item = tokenizer.encode(self.texts[row]).ids[1:]
            rows.append([*context[: MAX_PAIR_TOKENS - 1 - len(item)], _SEPARATOR, *item])
        out = np.zeros((len(rows), max(len(ids) for ids in rows)), np.int16)
        for at, ids in enumerate(rows):
            out[at, : len(ids)] = ids
        return out


class Jobs:
    """Requests as serving hands them to the Ranker, with as much history as it sends at most."""

    def __init__(self, tokenizer: Path, features: FloatArray, texts: Texts) -> None:
        self._encoder = Tokenizer(tokenizer)
        self._features = features  # (R, n_features): rows of real slates, drawn from
        self._tokens = tokenize(tokenizer, texts.texts, N_ITEM)
        self._keys = np.array([content_key(text) for text in texts.texts], np.int64)

    def of(self, request: Request) -> RankerJob:
        """One request."""
        rows = np.array(request.candidates)
        rng = np.random.default_rng(len(rows))
        history = np.resize(np.array(request.recent), N_USER + N_SESSION + N_BOUGHT)
        user, session, bought = np.split(history, [N_USER, N_USER + N_SESSION])
        features = self._features[rng.integers(len(self._features), size=len(rows))]
        return RankerJob(
            request_tensors(
                lambda of: (self._keys[of], self._tokens[of]),
                self._encoder.tokens([request.query], N_QUERY),
                user,
                session,
                bought,
                rng.uniform(1, 90, (N_BOUGHT, 3)).astype(np.float32),
                rows,
                features,
            )
        )
