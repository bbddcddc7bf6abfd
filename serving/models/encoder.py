"""Texts to vectors by the general encoder, which no shop's tuning touches."""

from collections.abc import Sequence
from typing import Protocol

from serving.models.contract import MAX_TOKENS
from serving.models.tokenizer import Tokenizer
from serving.models.triton import TritonEncoder
from serving.telemetry.stages import current_traceparent
from serving.types import FloatArray


class Encoder(Protocol):
    """Texts to unit vectors."""

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        """float32 (n, VECTOR_SIZE), zeros for an empty text; raises a RankingError."""
        ...


class TextVectors:
    """An `Encoder`: the tokenizer here, the network in the model server."""

    def __init__(self, tokenizer: Tokenizer, model: TritonEncoder) -> None:
        self._tokenizer = tokenizer
        self._model = model

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        """See Encoder."""
        tokens = self._tokenizer.tokens(texts, MAX_TOKENS)
        return await self._model.encode(tokens, budget_s, current_traceparent())
