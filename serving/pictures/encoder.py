"""Pixels to vectors, by the model server."""

from typing import Protocol

import numpy as np

from features.arrays import FloatArray
from serving.errors import BadModelOutputError
from serving.models.connection import Connection
from serving.models.contract import PICTURE_ENCODER, PICTURE_VECTOR_SIZE
from serving.models.settings import ModelSettings
from serving.pictures.problems import Pixels


class PictureEncoder(Protocol):
    """Pictures to unit vectors."""

    async def encode(
        self, pictures: list[Pixels], budget_s: float, traceparent: str | None = None
    ) -> FloatArray:
        """float32 (n, PICTURE_VECTOR_SIZE); raises a RankingError."""
        ...


class TritonPictures:
    """The `pictures` model; belongs to the event loop that first uses it."""

    def __init__(self, where: ModelSettings, model: str) -> None:
        self._connection = Connection(where.grpc_address, model, where.tls)

    async def encode(
        self, pictures: list[Pixels], budget_s: float, traceparent: str | None = None
    ) -> FloatArray:
        """See PictureEncoder."""
        pixels = np.stack(pictures).reshape(len(pictures), -1)
        headers = {"traceparent": traceparent} if traceparent else None
        answer = await self._connection.infer(
            {"PIXELS": pixels}, budget_s, headers, {"encoder": PICTURE_ENCODER}
        )
        vectors: FloatArray | None = answer.outputs.get("VECTORS")
        wanted = (len(pictures), PICTURE_VECTOR_SIZE)
        if vectors is None or vectors.shape != wanted or not np.isfinite(vectors).all():
            raise BadModelOutputError(f"no finite vector for each of {len(pictures)} pictures")
        return vectors

    async def ready(self) -> bool:
        """Whether the model would answer now."""
        return await self._connection.ready()

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()
