"""Words and pictures in one space: two linear projections, learnt on a shop's own items.

What is learnt is which words stand above which looks in one catalogue. It is no CLIP: it was shown
some thousand pairs and no others, and a word that no title has means what the text encoder says
that it is like. serving/training/fit/pictures/ learns it.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.arrays import FloatArray
from serving.models.contract import PICTURE_ENCODER, PICTURE_VECTOR_SIZE, VECTOR_SIZE


@dataclass(frozen=True, slots=True)
class JointSpace:
    """Both projections, and how likely a query and a picture of a cosine belong together.

    text (VECTOR_SIZE, k), text_middle (VECTOR_SIZE,); picture (PICTURE_VECTOR_SIZE, k),
    picture_middle (PICTURE_VECTOR_SIZE,); curve: slope and bias of a logistic curve of the cosine;
    profile: of the text encoder
    """

    text: FloatArray
    text_middle: FloatArray
    picture: FloatArray
    picture_middle: FloatArray
    curve: tuple[float, float]
    profile: str

    @property
    def size(self) -> int:
        """k."""
        return int(self.text.shape[1])

    def of_texts(self, vectors: FloatArray) -> FloatArray:
        """Unit vectors (n, k) of the text encoder's (n, VECTOR_SIZE)."""
        return _unit((vectors - self.text_middle) @ self.text)

    def of_pictures(self, vectors: FloatArray) -> FloatArray:
        """Unit vectors (n, k) of pictures' (n, PICTURE_VECTOR_SIZE)."""
        return _unit((vectors - self.picture_middle) @ self.picture)

    def likely(self, cosines: FloatArray) -> FloatArray:
        """How likely a picture of this cosine shows what was asked for, 0..1, as cosines."""
        slope, bias = self.curve
        logits = np.clip(slope * cosines + bias, -30, 30)
        values: FloatArray = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return values

    @property
    def document(self) -> dict[str, Any]:
        """JSON; `of` reads it."""
        arrays = (self.text, self.text_middle, self.picture, self.picture_middle)
        packed = np.concatenate([array.ravel() for array in arrays]).astype("<f2")
        return {
            "size": self.size,
            "numbers": base64.b64encode(packed.tobytes()).decode(),
            "curve": list(self.curve),
            "profile": self.profile,
            "picture_encoder": PICTURE_ENCODER,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError for what is none, or of another encoder."""
        if document["picture_encoder"] != PICTURE_ENCODER:
            raise ValueError(f"learnt on pictures of {document['picture_encoder']}")
        size = int(document["size"])
        numbers = np.frombuffer(base64.b64decode(document["numbers"]), "<f2").astype(np.float32)
        shapes = ((VECTOR_SIZE, size), (VECTOR_SIZE,),
                  (PICTURE_VECTOR_SIZE, size), (PICTURE_VECTOR_SIZE,))  # fmt: skip
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        if len(numbers) != ends[-1] or not np.isfinite(numbers).all():
            raise ValueError("not the numbers of two projections")
        parts = np.split(numbers, ends[:-1])
        text, text_middle, picture, picture_middle = (
            part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)
        )
        slope, bias = map(float, document["curve"])
        profile = str(document["profile"])
        return cls(text, text_middle, picture, picture_middle, (slope, bias), profile)


def _unit(vectors: npt.NDArray[np.floating[Any]]) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    values: FloatArray = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return values
