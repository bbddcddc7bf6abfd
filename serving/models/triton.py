"""Triton over gRPC: the only module that imports tritonclient.

Errors of the transport become RankingErrors here, and answers are checked here: what leaves has the
asked length and finite scores.
"""

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import tritonclient.grpc as blocking
import tritonclient.grpc.aio as aio
from tritonclient.utils import InferenceServerException

from serving.errors import (
    BadModelOutputError,
    ModelTimeoutError,
    ModelUnavailableError,
    ModelUnreachableError,
)
from serving.models.retries import Retries
from serving.settings import TlsSettings

FloatArray = npt.NDArray[np.float32]
TokenArray = npt.NDArray[np.int16]

_READY_S = 1.0
_BLOCKING_S = 60.0
_N_PARTS = 4
_TRITON_TYPES = {"int16": "INT16", "int32": "INT32", "int64": "INT64", "float32": "FP32"}
_DEADLINE = "StatusCode.DEADLINE_EXCEEDED"
_UNAVAILABLE = "StatusCode.UNAVAILABLE"
# Messages of any size, as the client's own default; calls go round among all servers that the name
# stands for, where gRPC would stay with the first; and a server that is back is found within a
# second, where it would wait up to two minutes.
_CHANNEL = [
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_BAD_ANSWERS = frozenset({"StatusCode.INVALID_ARGUMENT", "StatusCode.INTERNAL"})


@dataclass(frozen=True, slots=True)
class RankerBatch:
    """B requests with R candidates and H history items in all, as flat arrays with boundaries.

    query_tokens:           int16 (B, any), a row of zeros = no query
    user_history_counts:    int32 (B,); session_history_counts: int32 (B,)
    bought_counts:          int32 (B,); purchases: float32 (their sum, 3), of each item bought: how
                            often, days since the first and the last time
    history_keys:           int64 (H,): of each request the user's items, the session's, and those
                            that the user bought, each newest first
    history_tokens:         int16 (H, any)
    row_counts:             int32 (B,)
    item_keys:              int64 (R,), features.catalog.item.content_key of the item's text
    item_tokens:            int16 (R, any)
    features:               float32 (R, n_features), NaN = unknown
    feature_names:          of its columns; a version takes those that it was trained on, by name.
                            Empty: the columns are just those
    """

    query_tokens: TokenArray
    user_history_counts: npt.NDArray[np.int32]
    session_history_counts: npt.NDArray[np.int32]
    bought_counts: npt.NDArray[np.int32]
    purchases: FloatArray
    history_keys: npt.NDArray[np.int64]
    history_tokens: TokenArray
    row_counts: npt.NDArray[np.int32]
    item_keys: npt.NDArray[np.int64]
    item_tokens: TokenArray
    features: FloatArray
    feature_names: tuple[str, ...] = ()

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """By the names and in the types of ranker/config.pbtxt."""
        return {
            "QUERY_TOKENS": _tokens(self.query_tokens),
            "USER_HISTORY_COUNTS": self.user_history_counts.astype(np.int32, copy=False),
            "SESSION_HISTORY_COUNTS": self.session_history_counts.astype(np.int32, copy=False),
            "BOUGHT_COUNTS": self.bought_counts.astype(np.int32, copy=False),
            "PURCHASES": self.purchases.astype(np.float32, copy=False),
            "HISTORY_KEYS": self.history_keys.astype(np.int64, copy=False),
            "HISTORY_TOKENS": _tokens(self.history_tokens),
            "ROW_COUNTS": self.row_counts.astype(np.int32, copy=False),
            "ITEM_KEYS": self.item_keys.astype(np.int64, copy=False),
            "ITEM_TOKENS": _tokens(self.item_tokens),
            "FEATURES": self.features.astype(np.float32, copy=False),
        }


@dataclass(frozen=True, slots=True)
class RankerScores:
    """scores: float32 (R,); version: of the model that answered.

    parts: float32 (R, 4): the text match as a cosine, then what the score is the sum of, the match
    with the query, neural head and forest. NaN: does not apply.
    worked_ns: when the model began and ended by the model server's clock, unix nanoseconds; None:
    the version does not tell.
    """

    scores: FloatArray
    parts: FloatArray
    version: str
    worked_ns: tuple[int, int] | None = None


class TritonRanker:
    """The `ranker` model. One connection; belongs to the event loop that first uses it."""

    def __init__(self, address: str, model: str = "ranker", tls: TlsSettings | None = None) -> None:
        self._connection = _Connection(address, model, tls)

    async def score(
        self, batch: RankerBatch, budget_s: float, traceparent: str | None = None
    ) -> RankerScores:
        """Scores of all rows; raises a RankingError."""
        headers = {"traceparent": traceparent} if traceparent else None
        named = {"feature_names": ",".join(batch.feature_names)} if batch.feature_names else None
        answer = await self._connection.infer(batch.tensors(), budget_s, headers, named)
        scores, parts, times = (answer.as_numpy(name) for name in ("SCORES", "PARTS", "TIMES"))
        n_rows = len(batch.item_keys)
        if scores.shape != (n_rows,) or parts.shape != (n_rows, _N_PARTS):
            raise BadModelOutputError(f"{scores.shape} and {parts.shape} for {n_rows} rows")
        if not np.isfinite(scores).all():
            raise BadModelOutputError("scores that are not finite")
        worked_ns = None if times is None else (int(times[0]), int(times[1]))
        return RankerScores(scores, parts, answer.get_response().model_version, worked_ns)

    async def ready(self) -> bool:
        """Whether the model would answer now."""
        return await self._connection.ready()

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()


class TritonEncoder:
    """The `encoder` model: token rows to unit vectors, the same through all ranker versions."""

    def __init__(
        self, address: str, model: str = "encoder", tls: TlsSettings | None = None
    ) -> None:
        self._address = address
        self._model = model
        self._tls = tls
        self._connection = _Connection(address, model, tls)

    async def encode(
        self, tokens: npt.NDArray[np.integer[Any]], budget_s: float, traceparent: str | None = None
    ) -> FloatArray:
        """Unit vectors float32 (n, size) of `tokens` (n, any); a row of zeros has none: zeros."""
        headers = {"traceparent": traceparent} if traceparent else None
        answer = await self._connection.infer({"TOKENS": _tokens(tokens)}, budget_s, headers)
        return _vectors(answer, len(tokens))

    def encode_blocking(
        self, tokens: npt.NDArray[np.integer[Any]], budget_s: float = _BLOCKING_S
    ) -> FloatArray:
        """As `encode`, for a thread that builds an index."""
        try:
            options = _channel_options(self._tls)
            with blocking.InferenceServerClient(self._address, **options) as client:
                answer = client.infer(
                    self._model,
                    _inputs({"TOKENS": _tokens(tokens)}, blocking),
                    outputs=[blocking.InferRequestedOutput("VECTORS")],
                    client_timeout=budget_s,
                )
        except InferenceServerException as error:
            _raise(error, budget_s)
        return _vectors(answer, len(tokens))

    async def ready(self) -> bool:
        """Whether the model would answer now."""
        return await self._connection.ready()

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()


class TritonCrossEncoder:
    """The `cross_encoder` model: pairs of context and item to scores; the reference of ours."""

    def __init__(self, address: str, tls: TlsSettings | None = None) -> None:
        self._connection = _Connection(address, "cross_encoder", tls)

    async def score(self, tokens: npt.NDArray[np.integer[Any]], budget_s: float) -> FloatArray:
        """Scores float32 (n,) of `tokens` (n, any); raises a RankingError."""
        answer = await self._connection.infer({"TOKENS": _tokens(tokens)}, budget_s, None)
        scores: FloatArray | None = answer.as_numpy("SCORES")
        if scores is None or scores.shape != (len(tokens),) or not np.isfinite(scores).all():
            raise BadModelOutputError(f"no score for each of {len(tokens)} pairs")
        return scores

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()


class _Connection:
    """One gRPC channel, opened on first use: it binds to the event loop it is opened on."""

    def __init__(self, address: str, model: str, tls: TlsSettings | None) -> None:
        self._address = address
        self._model = model
        self._tls = tls
        self._retries = Retries()
        self._opened: aio.InferenceServerClient | None = None

    @property
    def _client(self) -> aio.InferenceServerClient:
        if self._opened is None:
            self._opened = aio.InferenceServerClient(self._address, **_channel_options(self._tls))
        return self._opened

    async def infer(
        self,
        tensors: dict[str, npt.NDArray[Any]],
        budget_s: float,
        headers: dict[str, str] | None,
        parameters: dict[str, str] | None = None,
    ) -> aio.InferResult:
        """All outputs of the model's: an older version may have fewer."""
        if budget_s <= 0:
            raise ModelTimeoutError("no time left")
        inputs = _inputs(tensors, aio)

        async def ask(left_s: float) -> aio.InferResult:
            try:
                return await self._client.infer(
                    self._model,
                    inputs,
                    # When it is over the server is told, and drops what it has not begun.
                    client_timeout=left_s,
                    headers=headers,
                    parameters=parameters,
                )
            except InferenceServerException as error:
                _raise(error, left_s)

        return await self._retries.call(ask, budget_s)

    async def ready(self) -> bool:
        try:
            return bool(await self._client.is_model_ready(self._model, client_timeout=_READY_S))
        except InferenceServerException:
            return False

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None


def _channel_options(tls: TlsSettings | None) -> dict[str, Any]:
    """Of a client, async or blocking; certificates are read when the channel is opened."""
    if tls is None:
        return {"channel_args": _CHANNEL}
    return {
        "channel_args": _CHANNEL,
        "ssl": True,
        "root_certificates": tls.ca_file,
        "certificate_chain": tls.cert_file,
        "private_key": tls.key_file,
    }


def _inputs(tensors: dict[str, npt.NDArray[Any]], client: Any) -> list[Any]:
    inputs = []
    for name, values in tensors.items():
        tensor = client.InferInput(name, values.shape, _TRITON_TYPES[values.dtype.name])
        tensor.set_data_from_numpy(values)
        inputs.append(tensor)
    return inputs


def _tokens(tokens: npt.NDArray[np.integer[Any]]) -> TokenArray:
    """int16, and at least one column: the server takes no rows of nothing."""
    if tokens.shape[1] == 0:
        return np.zeros((len(tokens), 1), np.int16)
    return tokens.astype(np.int16, copy=False)


def _vectors(answer: Any, n: int) -> FloatArray:
    vectors: FloatArray = answer.as_numpy("VECTORS")
    if len(vectors) != n or not np.isfinite(vectors).all():
        raise BadModelOutputError(f"{vectors.shape} for {n} texts, or not finite")
    return vectors


def _raise(error: InferenceServerException, budget_s: float) -> NoReturn:
    status = error.status()
    if status == _DEADLINE:
        raise ModelTimeoutError(f"no answer within {budget_s:.3f} s") from None
    if status in _BAD_ANSWERS:
        raise BadModelOutputError(f"the model refused: {error.message()}") from None
    if status == _UNAVAILABLE:
        raise ModelUnreachableError(f"{status}: {error.message()}") from None
    raise ModelUnavailableError(f"{status}: {error.message()}") from None
