"""The models of the model server as clients of ours.

Answers are checked here: what leaves has the length that was asked for, and finite scores.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import service_pb2

from features.arrays import FloatArray
from serving.errors import BadModelOutputError, RankingError
from serving.models.columns.about import About
from serving.models.columns.families import FAMILIES
from serving.models.connection import Answer, Connection, blocking_server, infer_blocking
from serving.models.contract import OUTPUTS, PARTS, EncoderProfile, Limits, Tensors
from serving.models.settings import TlsSettings

Parameters = dict[str, str]
TokenType = type[np.int16] | type[np.int32]

_BLOCKING_S = 60.0


@dataclass(frozen=True, slots=True)
class RankerScores:
    """scores: float32 (R,); version: of the model that answered.

    parts: float32 (R, len(PARTS)), see contract.PARTS; NaN: does not apply.
    worked_ns: when the model began and ended by the model server's clock, unix nanoseconds; None:
    the version does not tell.
    contributions: float32 (R, 1 + len(FAMILIES)), see contract.OUTPUTS; None: nobody asked, or the
    version does not tell
    """

    scores: FloatArray
    parts: FloatArray
    version: str
    worked_ns: tuple[int, int] | None = None
    contributions: FloatArray | None = None


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
        self._connection = Connection(address, model, tls)
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
        sent = self._inputs
        try:
            answer = await self._infer(batch, sent, deadline_s, headers)
        except BadModelOutputError as refusal:
            # Another version may have come into use, which takes other tensors.
            try:
                self._inputs = await self._connection.inputs(deadline_s - time.monotonic())
            except RankingError:
                raise refusal from None
            if self._inputs == sent:
                raise
            answer = await self._infer(batch, self._inputs, deadline_s, headers)
        scores, parts, told, times = (answer.outputs.get(output.name) for output in OUTPUTS)
        n_rows = len(batch["ITEM_KEYS"])
        if scores is None or parts is None:
            raise BadModelOutputError("no scores")
        if scores.shape != (n_rows,) or parts.shape != (n_rows, len(PARTS)):
            raise BadModelOutputError(f"{scores.shape} and {parts.shape} for {n_rows} rows")
        if not np.isfinite(scores).all():
            raise BadModelOutputError("scores that are not finite")
        worked_ns = None if times is None else (int(times[0]), int(times[1]))
        if told is not None and told.shape != (n_rows, 1 + len(FAMILIES)):
            told = None  # of a version that knows other families
        return RankerScores(scores, parts, answer.version, worked_ns, told)

    async def _infer(
        self,
        batch: Tensors,
        names: tuple[str, ...],
        deadline_s: float,
        headers: dict[str, str] | None,
    ) -> Answer:
        tensors = {name: batch[name] for name in names if name in batch}
        left_s = deadline_s - time.monotonic()
        return await self._connection.infer(tensors, left_s, headers, self._parameters)

    async def ready(self) -> bool:
        """Whether the model would answer now."""
        return await self._connection.ready()

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()


class TritonEncoder:
    """The `encoder` model: token rows to unit vectors, the same through all ranker versions.

    profile: whose tokens they are; a version of another profile refuses them.
    """

    def __init__(
        self,
        address: str,
        model: str = "encoder",
        tls: TlsSettings | None = None,
        profile: EncoderProfile = EncoderProfile.ENGLISH,
    ) -> None:
        self._address = address
        self._model = model
        self._tls = tls
        self._parameters = {"profile": profile.value}
        self._connection = Connection(address, model, tls)
        # Of the ids: what the version in use takes comes first. Older versions took int16.
        self._types: tuple[TokenType, TokenType] = (np.int32, np.int16)

    async def encode(
        self, tokens: npt.NDArray[np.integer[Any]], budget_s: float, traceparent: str | None = None
    ) -> FloatArray:
        """Unit vectors float32 (n, size) of `tokens` (n, any); a row of zeros has none: zeros."""
        headers = {"traceparent": traceparent} if traceparent else None
        deadline_s = time.monotonic() + budget_s

        async def ask(dtype: TokenType) -> Answer:
            left_s = deadline_s - time.monotonic()
            tensors = {"TOKENS": _tokens(tokens, dtype)}
            return await self._connection.infer(tensors, left_s, headers, self._parameters)

        usual, other = self._types
        try:
            answer = await ask(usual)
        except BadModelOutputError as refusal:
            try:
                answer = await ask(other)
            except RankingError:
                raise refusal from None
            self._types = (other, usual)
        return _vectors(answer, len(tokens))

    def encode_blocking(
        self, tokens: npt.NDArray[np.integer[Any]], budget_s: float = _BLOCKING_S
    ) -> FloatArray:
        """As `encode`, for a thread that builds an index."""
        usual, other = self._types
        try:
            return self._infer_blocking(tokens, usual, budget_s)
        except BadModelOutputError as refusal:
            try:
                vectors = self._infer_blocking(tokens, other, budget_s)
            except RankingError:
                raise refusal from None
            self._types = (other, usual)
            return vectors

    def _infer_blocking(
        self, tokens: npt.NDArray[np.integer[Any]], dtype: TokenType, budget_s: float
    ) -> FloatArray:
        tensors = {"TOKENS": _tokens(tokens, dtype)}
        answer = infer_blocking(
            self._address, self._model, self._tls, tensors, budget_s, self._parameters
        )
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
        self._connection = Connection(address, "cross_encoder", tls)

    async def score(self, tokens: npt.NDArray[np.integer[Any]], budget_s: float) -> FloatArray:
        """Scores float32 (n,) of `tokens` (n, any); raises a RankingError."""
        answer = await self._connection.infer({"TOKENS": _tokens(tokens, np.int16)}, budget_s, None)
        scores: FloatArray | None = answer.outputs.get("SCORES")
        if scores is None or scores.shape != (len(tokens),) or not np.isfinite(scores).all():
            raise BadModelOutputError(f"no score for each of {len(tokens)} pairs")
        return scores

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()


def published_limits(address: str, model: str, tls: TlsSettings | None, budget_s: float) -> Limits:
    """Of the version in use, from its configuration; blocks. Raises a RankingError."""
    return Limits.of(_parameters(address, model, tls, budget_s))


def published_about(address: str, model: str, tls: TlsSettings | None, budget_s: float) -> About:
    """What the version in use tells of itself; blocks. Raises a RankingError."""
    return About.of(_parameters(address, model, tls, budget_s))


def _parameters(address: str, model: str, tls: TlsSettings | None, budget_s: float) -> Parameters:
    with blocking_server(address, tls, budget_s) as server:
        answer = server.ModelConfig(service_pb2.ModelConfigRequest(name=model), timeout=budget_s)
    parameters = answer.config.parameters
    return {name: parameters[name].string_value for name in parameters}


def _tokens(tokens: npt.NDArray[np.integer[Any]], dtype: TokenType) -> npt.NDArray[Any]:
    """Of the type that the model takes, and with a column: the server takes no rows of nothing."""
    if tokens.shape[1] == 0:
        return np.zeros((len(tokens), 1), dtype)
    return tokens.astype(dtype, copy=False)


def _vectors(answer: Answer, n: int) -> FloatArray:
    vectors: FloatArray | None = answer.outputs.get("VECTORS")
    if vectors is None or len(vectors) != n or not np.isfinite(vectors).all():
        raise BadModelOutputError(f"no finite vector for each of {n} texts")
    return vectors
