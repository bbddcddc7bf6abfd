"""The vectors of the real renderings, as a worker and Triton make them; kept in build/pictures."""

import tempfile
from pathlib import Path

import numpy as np

from features.arrays import FloatArray
from loadtests.pictures.emoji import Emoji, emoji
from loadtests.pictures.variants import pixels
from serving.models.contract import PICTURE_ENCODER
from serving.models.runtime.picture_vectors import PictureEncoder
from serving.training.publish.pictures.version import publish_pictures

_FOLDER = Path("build/pictures")


def published_encoder(threads: int = 2) -> PictureEncoder:
    """The network as it is published, opened here."""
    with tempfile.TemporaryDirectory() as folder:
        publish_pictures(Path(folder))
        return PictureEncoder(Path(folder) / "pictures" / "1" / "picture_encoder.onnx", threads)


def gallery(encoder: PictureEncoder | None = None) -> tuple[list[Emoji], FloatArray]:
    """All renderings and their vectors (n, PICTURE_VECTOR_SIZE); encoder: as published, or kept
    ones are good enough."""
    found = emoji()
    kept = _FOLDER / f"{PICTURE_ENCODER}.npy"
    if encoder is None and kept.is_file():
        return found, np.load(kept)
    encoder = encoder or published_encoder()
    vectors = np.concatenate(
        [encoder.encode(pixels(each.path.read_bytes()).reshape(1, -1)) for each in found]
    )
    np.save(kept, vectors)
    return found, vectors
