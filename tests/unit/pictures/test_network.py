"""The network is the package's, its int8 form is near it, and a version of it can be published."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from serving.models.contract import PICTURE_ENCODER, PICTURE_SIDE, PICTURE_VECTOR_SIZE
from serving.models.packing import BatchError
from serving.models.runtime.picture_vectors import PictureEncoder
from serving.models.runtime.sealed import check_version
from serving.training.publish.__main__ import main
from serving.training.publish.pictures.colours import WEIGHT, colours_of, usual_colours
from serving.training.publish.pictures.network import build_float, evened, layers_of
from serving.training.publish.pictures.version import drawn_pictures, publish_pictures
from serving.training.publish.pictures.weights import package_file, read_weights
from serving.training.publish.repository import PublishError, version_in_use

Tensors = dict[str, torch.Tensor]
STRIDES = {1: 2, 3: 2, 5: 2, 11: 2}


def convolved(
    state: Tensors, x: torch.Tensor, conv: str, norm: str, stride: int = 1, groups: int = 1
) -> torch.Tensor:
    weight = state[f"{conv}.weight"]
    size, given = weight.shape[-1], x.shape[-1]
    total = max((-(-given // stride) - 1) * stride + size - given, 0)
    x = functional.pad(x, [total // 2, total - total // 2] * 2)
    x = functional.conv2d(x, weight, None, stride, 0, 1, groups)
    mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
    gain, bias = state[f"{norm}.weight"], state[f"{norm}.bias"]
    return functional.batch_norm(x, mean, variance, gain, bias, False, 0.0, 1e-3)


def by_torch(state: Tensors, pixels: np.ndarray) -> np.ndarray:
    """EfficientNet-Lite0 as torch computes it."""
    rows = torch.from_numpy(pixels).reshape(-1, PICTURE_SIDE, PICTURE_SIDE, 3)
    x = (rows.permute(0, 3, 1, 2).float() - 127) / 128
    x = functional.relu6(convolved(state, x, "_conv_stem", "_bn0", 2))
    for number in range(16):
        block, y = f"_blocks.{number}", x
        if f"{block}._expand_conv.weight" in state:
            y = functional.relu6(convolved(state, y, f"{block}._expand_conv", f"{block}._bn0"))
        stride = STRIDES.get(number, 1)
        depth = (f"{block}._depthwise_conv", f"{block}._bn1", stride, y.shape[1])
        y = functional.relu6(convolved(state, y, *depth))
        y = convolved(state, y, f"{block}._project_conv", f"{block}._bn2")
        x = x + y if x.shape == y.shape else y
    x = functional.relu6(convolved(state, x, "_conv_head", "_bn1"))
    shapes = functional.normalize(x.mean((2, 3)).sqrt()).numpy()
    colours = np.stack([colours_of(each) for each in rows.numpy()]) - usual_colours()
    colours *= WEIGHT / np.linalg.norm(colours, axis=1, keepdims=True)
    both: np.ndarray = np.concatenate([shapes, colours], axis=1)
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    return both


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = tmp_path_factory.mktemp("repository")
    assert publish_pictures(repository) == 1
    return repository / "pictures" / "1"


def test_vectors_are_torchs_and_stay_so_when_channels_are_evened(tmp_path: Path) -> None:
    state = torch.load(package_file(), weights_only=True)
    layers, pixels = list(layers_of(read_weights(package_file()))), drawn_pictures(2, 3)
    expected = by_torch(state, pixels)
    for built in (build_float(layers), build_float(evened(layers))):
        (tmp_path / "float32.onnx").write_bytes(built)
        vectors = PictureEncoder(tmp_path / "float32.onnx", 1).encode(pixels)
        assert vectors.shape == (2, PICTURE_VECTOR_SIZE)
        np.testing.assert_allclose((vectors * expected).sum(axis=1), 1, atol=1e-4)


def test_a_version_says_what_it_is_and_is_near_float32(published: Path) -> None:
    manifest = check_version(published)
    assert (manifest["encoder"], manifest["precision"]) == (PICTURE_ENCODER, "int8")
    assert manifest["parity"]["mean_cosine"] > 0.93
    assert manifest["origin"]["licence"] == "Apache-2.0"
    assert version_in_use(published.parents[1], "pictures") == 1
    assert "TYPE_UINT8" in (published.parent / "config.pbtxt").read_text()


def test_a_picture_has_its_vector_whatever_comes_with_it(published: Path) -> None:
    encoder = PictureEncoder(published / "picture_encoder.onnx", 2)
    pixels = drawn_pictures(3, 5)
    together = encoder.encode(pixels)
    np.testing.assert_array_equal(together[1:2], encoder.encode(pixels[1:2]))
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-4)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 3), np.uint8), np.zeros(PICTURE_SIDE**2 * 3, np.uint8),
        np.zeros((1, PICTURE_SIDE**2 * 3), np.float32),
    ],
)  # fmt: skip
def test_what_is_no_pixels_is_refused_by_name(published: Path, pixels: np.ndarray) -> None:
    with pytest.raises(BatchError, match="PIXELS is"):
        PictureEncoder(published / "picture_encoder.onnx", 1).encode(pixels)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("run",))


@pytest.mark.parametrize(
    "content",
    [b"", b"no pickle", pickle.dumps(1) * 3, pickle.dumps(Evil()), b"\x80\x02."],
)
def test_another_file_is_refused_and_runs_nothing(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(PublishError, match=r"weights\.pth"):
        publish_pictures(tmp_path / "repository", base=path)
    assert "run" not in capsys.readouterr().out
    assert version_in_use(tmp_path / "repository", "pictures") is None


def test_weights_that_are_cut_short_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(package_file().read_bytes()[:-1000])
    with pytest.raises(ValueError, match="cut short"):
        read_weights(path)


def test_the_command_publishes_and_rolls_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = ["--repository", str(tmp_path)]
    assert main(["pictures", *repository]) == 0
    assert main(["pictures", *repository]) == 0
    assert "pictures 2 is in use" in capsys.readouterr().out
    assert main(["rollback", "--model", "pictures", *repository]) == 0
    assert version_in_use(tmp_path, "pictures") == 1
