"""Triton over gRPC: the only module that imports tritonclient.

Errors of the transport become RankingErrors here, and answers are checked here: what leaves has the
asked length and finite scores.
"""

import time
from collections.abc import Sequence
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
from serving.models.contract import OUTPUTS, PARTS, Limits, Tensors
from serving.models.retries import Retries
from serving.models.settings import TlsSettings
from serving.types import FloatArray

TokenArray = npt.NDArray[np.int16]

_READY_S = 1.0
_BLOCKING_S = 60.0
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
class RankerScores:
    """scores: float32 (R,); version: of the model that answered.

    parts: float32 (R, len(PARTS)), see contract.PARTS; NaN: does not apply.
    worked_ns: when the model began and ended by the model server's clock, unix nanoseconds; None:
    the version does not tell.
    """

    scores: FloatArray
    parts: FloatArray
    version: str
    worked_ns: tuple[int, int] | None = None


class TritonRanker:
    """The `ranker` model. One connection; belongs to the event loop that first uses it.

    feature_names: of the columns of FEATURES; a version takes those that it was trained on, by
    name. Empty: the columns are just those.
    """

    def __init__(
        self,
        address: str,
        model: str = "ranker",
        tls: TlsSettings | None = None,
        feature_names: Sequence[str] = (),
    ) -> None:
        self._connection = _Connection(address, model, tls)
        self._parameters = {"feature_names": ",".join(feature_names)} if feature_names else None
        self._inputs: tuple[str, ...] = ()  # that the version in use takes; empty: not asked yet

    async def score(
        self, batch: Tensors, budget_s: float, traceparent: str | None = None
    ) -> RankerScores:
        """Scores of all rows; raises a RankingError.

        Serving and versions may be of different age: a version is sent the tensors that its own
        configuration names.
        """
        deadline_s = time.monotonic() + budget_s
        headers = {"traceparent": traceparent} if traceparent else None
        if not self._inputs:
            self._inputs = await self._connection.inputs(budget_s)
        try:
            answer = await self._infer(batch, deadline_s, headers)
        except BadModelOutputError:
            # Another version may have come into use, which takes other tensors.
            before = self._inputs
            self._inputs = await self._connection.inputs(deadline_s - time.monotonic())
            if self._inputs == before:
                raise
            answer = await self._infer(batch, deadline_s, headers)
        scores, parts, times = (answer.as_numpy(output.name) for output in OUTPUTS)
        n_rows = len(batch["ITEM_KEYS"])
        if scores.shape != (n_rows,) or parts.shape != (n_rows, len(PARTS)):
            raise BadModelOutputError(f"{scores.shape} and {parts.shape} for {n_rows} rows")
        if not np.isfinite(scores).all():
            raise BadModelOutputError("scores that are not finite")
        worked_ns = None if times is None else (int(times[0]), int(times[1]))
        return RankerScores(scores, parts, answer.get_response().model_version, worked_ns)

    async def _infer(
        self, batch: Tensors, deadline_s: float, headers: dict[str, str] | None
    ) -> aio.InferResult:
        tensors = {name: batch[name] for name in self._inputs if name in batch}
        left_s = deadline_s - time.monotonic()
        return await self._connection.infer(tensors, left_s, headers, self._parameters)

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
        tensors: Tensors,
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

    async def inputs(self, budget_s: float) -> tuple[str, ...]:
        """Names of the tensors that the version in use takes; raises a RankingError."""
        if budget_s <= 0:
            raise ModelTimeoutError("no time left")

        async def ask(left_s: float) -> tuple[str, ...]:
            try:
                about = await self._client.get_model_metadata(self._model, client_timeout=left_s)
            except InferenceServerException as error:
                _raise(error, left_s)
            return tuple(tensor.name for tensor in about.inputs)

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


def published_limits(address: str, model: str, tls: TlsSettings | None, budget_s: float) -> Limits:
    """Of the version in use, from its configuration; blocks. Raises a RankingError."""
    try:
        with blocking.InferenceServerClient(address, **_channel_options(tls)) as client:
            answer = client.get_model_config(model, client_timeout=budget_s)
    except InferenceServerException as error:
        _raise(error, budget_s)
    parameters = answer.config.parameters
    return Limits.of({name: parameters[name].string_value for name in parameters})


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


def _inputs(tensors: Tensors, client: Any) -> list[Any]:
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
