"""Triton over gRPC: one channel to one model, with errors of the transport as RankingErrors."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from serving.errors import (
    BadModelOutputError,
    ModelNotLoadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    ModelUnreachableError,
    RankingError,
)
from serving.models.contract import Array, Tensors, candidate_model
from serving.models.retries import Retries
from serving.models.settings import TlsSettings

_READY_S = 1.0
_TRITON_TYPES: dict[np.dtype[Any], str] = {
    np.dtype(np.uint8): "UINT8",
    np.dtype(np.int16): "INT16",
    np.dtype(np.int32): "INT32",
    np.dtype(np.int64): "INT64",
    np.dtype(np.float32): "FP32",
}
_TYPES = {name: dtype for dtype, name in _TRITON_TYPES.items()}
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
# Of one that is unloaded, with another status from release to release.
_UNKNOWN_MODEL = "Request for unknown model"
_BAD_ANSWERS = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)


@dataclass(frozen=True, slots=True)
class Answer:
    """The outputs of a model by name, and the version that answered."""

    outputs: Mapping[str, Array]
    version: str

    @classmethod
    def of(cls, response: Any) -> "Answer":
        """From the message of the server."""
        named = zip(response.outputs, response.raw_output_contents, strict=False)
        outputs = {
            output.name: np.frombuffer(raw, _TYPES[output.datatype]).reshape(tuple(output.shape))
            for output, raw in named
            if output.datatype in _TYPES
        }
        return cls(outputs, response.model_version)


class Connection:
    """One gRPC channel, opened on first use: it binds to the event loop it is opened on.

    Messages are made here, where tritonclient's own client took half as long again for a call.
    """

    def __init__(self, address: str, model: str, tls: TlsSettings | None) -> None:
        self._address = address
        self._model = model
        self._tls = tls
        self._retries = Retries()
        self._channel: grpc.aio.Channel | None = None
        self._opened: Any = None  # the server's calls over that channel

    @property
    def _server(self) -> Any:
        if self._channel is None:
            self._channel = _channel(self._address, self._tls, grpc.aio)
            self._opened = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        return self._opened

    async def infer(
        self,
        tensors: Tensors,
        budget_s: float,
        headers: dict[str, str] | None,
        parameters: dict[str, str] | None = None,
    ) -> Answer:
        """All outputs of the model's: an older version may have fewer."""
        if budget_s <= 0:
            raise ModelTimeoutError("no time left")
        request = _infer_request(self._model, tensors, parameters)
        metadata = tuple(headers.items()) if headers else None

        async def ask(left_s: float) -> Answer:
            with _as_ranking_errors(left_s):
                # When the time is over the server is told, and drops what it has not begun.
                response = await self._server.ModelInfer(request, timeout=left_s, metadata=metadata)
            return Answer.of(response)

        return await self._retries.call(ask, budget_s)

    async def inputs(self, budget_s: float) -> tuple[str, ...]:
        """Names of the tensors that the version in use takes; raises a RankingError."""
        if budget_s <= 0:
            raise ModelTimeoutError("no time left")

        async def ask(left_s: float) -> tuple[str, ...]:
            with _as_ranking_errors(left_s):
                asked = service_pb2.ModelMetadataRequest(name=self._model)
                about = await self._server.ModelMetadata(asked, timeout=left_s)
            return tuple(tensor.name for tensor in about.inputs)

        return await self._retries.call(ask, budget_s)

    async def ready(self) -> bool:
        try:
            with _as_ranking_errors(_READY_S):
                asked = service_pb2.ModelReadyRequest(name=self._model)
                return bool((await self._server.ModelReady(asked, timeout=_READY_S)).ready)
        except RankingError:
            return False

    async def close(self) -> None:
        channel, self._channel = self._channel, None  # a call that begins now opens it anew
        if channel is not None:
            await channel.close()


def infer_blocking(
    address: str,
    model: str,
    tls: TlsSettings | None,
    tensors: Tensors,
    budget_s: float,
    parameters: dict[str, str] | None = None,
) -> Answer:
    """As `Connection.infer`, over a channel of its own, for a thread. Raises a RankingError."""
    with blocking_server(address, tls, budget_s) as server:
        request = _infer_request(model, tensors, parameters)
        return Answer.of(server.ModelInfer(request, timeout=budget_s))


@contextmanager
def blocking_server(address: str, tls: TlsSettings | None, budget_s: float) -> Iterator[Any]:
    """The server's calls over a channel of their own, for a thread; errors are RankingErrors.

    budget_s: that a call is given, for the words of one that took longer
    """
    with _as_ranking_errors(budget_s), _channel(address, tls, grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def _channel(address: str, tls: TlsSettings | None, made_by: Any) -> Any:
    """made_by: grpc or grpc.aio; certificates are read here."""
    if tls is None:
        return made_by.insecure_channel(address, options=_CHANNEL)
    files = (tls.ca_file, tls.key_file, tls.cert_file)
    credentials = grpc.ssl_channel_credentials(*(file and file.read_bytes() for file in files))
    return made_by.secure_channel(address, credentials, options=_CHANNEL)


def _infer_request(model: str, tensors: Tensors, parameters: dict[str, str] | None) -> Any:
    request = service_pb2.ModelInferRequest(model_name=model)
    for name, text in (parameters or {}).items():
        request.parameters[name].string_param = text
    for name, values in tensors.items():
        request.inputs.add(name=name, datatype=_TRITON_TYPES[values.dtype], shape=values.shape)
        request.raw_input_contents.append(values.tobytes())
    return request


def served_versions(
    address: str, model: str, tls: TlsSettings | None, budget_s: float
) -> list[str]:
    """Of a model, those that are served beside the one in use, oldest first; blocks.

    Raises a RankingError.
    """
    with blocking_server(address, tls, budget_s) as server:
        index = server.RepositoryIndex(service_pb2.RepositoryIndexRequest(), timeout=budget_s)
    ready = [each.name for each in index.models if each.state == "READY"]
    found = [name.removeprefix(candidate_model(model, "")) for name in ready]
    return sorted((version for version in found if version.isdigit()), key=int)


@contextmanager
def _as_ranking_errors(budget_s: float) -> Iterator[None]:
    """Errors of the transport as RankingErrors."""
    try:
        yield
    except grpc.RpcError as error:
        _raise_ranking_error(error, budget_s)
    except asyncio.CancelledError:
        # Either the caller is taken back, or gRPC has dropped the call with its channel.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ModelUnavailableError("the call was dropped") from None


def _raise_ranking_error(error: Any, budget_s: float) -> NoReturn:
    status, message = error.code(), error.details() or ""
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise ModelTimeoutError(f"no answer within {budget_s:.3f} s") from None
    if status is grpc.StatusCode.NOT_FOUND or message.startswith(_UNKNOWN_MODEL):
        raise ModelNotLoadedError(f"{status}: {message}") from None
    if status in _BAD_ANSWERS:
        raise BadModelOutputError(f"the model refused: {message}") from None
    if status is grpc.StatusCode.UNAVAILABLE:
        raise ModelUnreachableError(f"{status}: {message}") from None
    raise ModelUnavailableError(f"{status}: {message}") from None
