"""Triton over gRPC: one channel to one model, with errors of the transport as RankingErrors."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import tritonclient.grpc as blocking
import tritonclient.grpc.aio as aio
from tritonclient.utils import InferenceServerException

from serving.errors import (
    BadModelOutputError,
    ModelNotLoadedError,
    ModelTimeoutError,
    ModelUnavailableError,
    ModelUnreachableError,
    RankingError,
)
from serving.models.contract import Tensors, candidate_model
from serving.models.retries import Retries
from serving.models.settings import TlsSettings

_READY_S = 1.0
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
_NOT_FOUND = "StatusCode.NOT_FOUND"
# Of one that is unloaded, with another status from release to release.
_UNKNOWN_MODEL = "Request for unknown model"
_BAD_ANSWERS = frozenset({"StatusCode.INVALID_ARGUMENT", "StatusCode.INTERNAL"})


class Connection:
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
            self._opened = aio.InferenceServerClient(self._address, **channel_options(self._tls))
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
        inputs = infer_inputs(tensors, aio)

        async def ask(left_s: float) -> aio.InferResult:
            with _as_ranking_errors(left_s):
                return await self._client.infer(
                    self._model,
                    inputs,
                    # When it is over the server is told, and drops what it has not begun.
                    client_timeout=left_s,
                    headers=headers,
                    parameters=parameters,
                )

        return await self._retries.call(ask, budget_s)

    async def inputs(self, budget_s: float) -> tuple[str, ...]:
        """Names of the tensors that the version in use takes; raises a RankingError."""
        if budget_s <= 0:
            raise ModelTimeoutError("no time left")

        async def ask(left_s: float) -> tuple[str, ...]:
            with _as_ranking_errors(left_s):
                about = await self._client.get_model_metadata(self._model, client_timeout=left_s)
            return tuple(tensor.name for tensor in about.inputs)

        return await self._retries.call(ask, budget_s)

    async def ready(self) -> bool:
        try:
            with _as_ranking_errors(_READY_S):
                return bool(await self._client.is_model_ready(self._model, client_timeout=_READY_S))
        except RankingError:
            return False

    async def close(self) -> None:
        opened, self._opened = self._opened, None  # a call that begins now opens it anew
        if opened is not None:
            await opened.close()


def channel_options(tls: TlsSettings | None) -> dict[str, Any]:
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


def served_versions(
    address: str, model: str, tls: TlsSettings | None, budget_s: float
) -> list[str]:
    """Of a model, those that are served beside the one in use, oldest first; blocks.

    Raises a RankingError.
    """
    try:
        with blocking.InferenceServerClient(address, **channel_options(tls)) as client:
            index = client.get_model_repository_index(client_timeout=budget_s)
    except InferenceServerException as error:
        raise_ranking_error(error, budget_s)
    ready = [each.name for each in index.models if each.state == "READY"]
    found = [name.removeprefix(candidate_model(model, "")) for name in ready]
    return sorted((version for version in found if version.isdigit()), key=int)


def infer_inputs(tensors: Tensors, client: Any) -> list[Any]:
    inputs = []
    for name, values in tensors.items():
        tensor = client.InferInput(name, values.shape, _TRITON_TYPES[values.dtype.name])
        tensor.set_data_from_numpy(values)
        inputs.append(tensor)
    return inputs


@contextmanager
def _as_ranking_errors(budget_s: float) -> Iterator[None]:
    """Errors of the transport as RankingErrors."""
    try:
        yield
    except InferenceServerException as error:
        raise_ranking_error(error, budget_s)
    except asyncio.CancelledError:
        # Either the caller is taken back, or gRPC has dropped the call with its channel.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ModelUnavailableError("the call was dropped") from None


def raise_ranking_error(error: InferenceServerException, budget_s: float) -> NoReturn:
    status = error.status()
    if status == _DEADLINE:
        raise ModelTimeoutError(f"no answer within {budget_s:.3f} s") from None
    if status == _NOT_FOUND or (error.message() or "").startswith(_UNKNOWN_MODEL):
        raise ModelNotLoadedError(f"{status}: {error.message()}") from None
    if status in _BAD_ANSWERS:
        raise BadModelOutputError(f"the model refused: {error.message()}") from None
    if status == _UNAVAILABLE:
        raise ModelUnreachableError(f"{status}: {error.message()}") from None
    raise ModelUnavailableError(f"{status}: {error.message()}") from None
