"""Texts to vectors by the general encoder, which no shop's tuning touches."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np

from features.arrays import FloatArray
from serving.models.contract import MAX_TOKENS
from serving.models.settings import ModelSettings
from serving.models.tokenizer import Tokenizer
from serving.models.triton import TritonEncoder
from serving.telemetry.stages import current_traceparent

_AT_ONCE = 1_000  # characters: a millisecond or two; for more the event loop does not wait


class Encoder(Protocol):
    """Texts to unit vectors."""

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        """float32 (n, VECTOR_SIZE), zeros for an empty text; raises a RankingError."""
        ...


class TextVectors:
    """An `Encoder`: the tokenizer here, the network in the model server. Of one profile both."""

    def __init__(self, tokenizer: Tokenizer, model: TritonEncoder) -> None:
        self._tokenizer = tokenizer
        self._model = model

    @classmethod
    def of(cls, settings: ModelSettings) -> Self:
        """With the tokenizer and the network of the profile."""
        path = settings.encoder_tokenizer_path or settings.tokenizer_path
        address, profile = settings.grpc_address, settings.encoder_profile
        model = TritonEncoder(address, settings.encoder, settings.tls, profile)
        return cls(Tokenizer(path, np.int32), model)

    async def encode(self, texts: Sequence[str], budget_s: float) -> FloatArray:
        """See Encoder."""
        deadline_s = time.monotonic() + budget_s
        if sum(map(len, texts)) <= _AT_ONCE:
            tokens = self._tokenizer.tokens(texts, MAX_TOKENS)
        else:
            tokens = await asyncio.to_thread(self._tokenizer.tokens, texts, MAX_TOKENS)
        left_s = deadline_s - time.monotonic()
        return await self._model.encode(tokens, left_s, current_traceparent())

    def encode_blocking(self, texts: Sequence[str]) -> FloatArray:
        """As `encode`, for a thread that builds an index and may wait."""
        return self._model.encode_blocking(self._tokenizer.tokens(texts, MAX_TOKENS))
