"""The text tower against transformers, and int8 against floats."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from transformers import BertModel

from serving.models.runtime.text_vectors import (
    RememberedTexts,
    TextEncoder,
    VectorMemory,
    row_keys,
)
from serving.training.publish.base_model import (
    Weights,
    WeightsError,
    base_folder,
    base_weights,
    merge_delta,
)
from serving.training.publish.encoder_onnx import build_float, build_int8, calibrate, open_session
from serving.training.publish.texts import random_texts

FloatArray = npt.NDArray[np.float32]
TEXTS = random_texts(24, seed=3)
QUERY = "encoder.layer.2.attention.self.query"


@pytest.fixture(scope="module")
def weights() -> Weights:
    return base_weights(base_folder())


@pytest.fixture(scope="module")
def int8(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tower") / "int8.onnx"
    path.write_bytes(build_int8(weights, calibrate(weights, random_texts(64, seed=4))))
    return path


def table(texts: list[npt.NDArray[np.int32]], width: int = 40) -> npt.NDArray[np.int16]:
    tokens = np.zeros((len(texts), width), np.int16)
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = text
    return tokens


def encode_float(weights: Weights) -> FloatArray:
    session = open_session(build_float(weights))
    return np.concatenate([session.run(None, {"tokens": text[None]})[0] for text in TEXTS])


def encode_with_transformers(change: dict[str, FloatArray]) -> FloatArray:
    torch.set_num_threads(1)  # its threads wait by spinning, which a busy machine pays dearly
    model: Any = BertModel.from_pretrained(base_folder(), add_pooling_layer=False)
    model.eval()
    with torch.no_grad():
        for name, values in change.items():
            model.get_parameter(name).copy_(torch.from_numpy(values))
        states = [model(torch.from_numpy(text[None])).last_hidden_state for text in TEXTS]
    means = torch.cat([state.mean(dim=1) for state in states]).numpy()
    vectors: FloatArray = means / np.linalg.norm(means, axis=1, keepdims=True)
    return vectors


def test_the_float_tower_gives_what_transformers_gives(weights: Weights) -> None:
    cosines = (encode_float(weights) * encode_with_transformers({})).sum(axis=1)
    assert cosines.min() > 0.99999


def test_a_merged_delta_gives_what_transformers_gives_with_the_changed_weight(
    weights: Weights,
) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(0, 0.1, shape).astype(np.float16) for shape in ((8, 384), (384, 8)))
    merged = merge_delta(weights, {f"{QUERY}.lora_A": a, f"{QUERY}.lora_B": b})
    changed = weights[f"{QUERY}.weight"] + b.astype(np.float32) @ a.astype(np.float32)
    expected = encode_with_transformers({f"{QUERY}.weight": changed})
    assert (encode_float(merged) * expected).sum(axis=1).min() > 0.99999
    assert (encode_float(weights) * expected).sum(axis=1).min() < 0.999


def test_a_delta_that_does_not_fit_is_refused(weights: Weights) -> None:
    short = np.zeros((2, 100), np.float16)
    with pytest.raises(WeightsError, match="query"):
        merge_delta(weights, {f"{QUERY}.lora_A": short, f"{QUERY}.lora_B": short.T})
    with pytest.raises(WeightsError, match="lora_B"):
        merge_delta(weights, {f"{QUERY}.lora_A": short})


def test_int8_stays_close_to_floats_on_texts_it_was_not_calibrated_on(
    weights: Weights, int8: Path
) -> None:
    vectors = TextEncoder(int8, 2, 64).encode(table(TEXTS))
    cosines = (vectors * encode_float(weights)).sum(axis=1)
    assert cosines.mean() > 0.995
    assert cosines.min() > 0.98


def test_int8_weights_leave_room_for_two_products_in_sixteen_bits(int8: Path) -> None:
    products = {
        initializer.name: onnx.numpy_helper.to_array(initializer)
        for initializer in onnx.load(int8).graph.initializer
        if initializer.name.endswith(".w")
    }
    assert len(products) == 6 * 4
    assert all(weight.dtype == np.int8 for weight in products.values())
    assert max(np.abs(weight.astype(int)).max() for weight in products.values()) <= 64


def test_an_encoding_is_the_same_to_the_bit_alone_and_in_any_company(int8: Path) -> None:
    encoder = TextEncoder(int8, 2, 64)
    together = encoder.encode(table(TEXTS))
    alone = np.concatenate([encoder.encode(table([text], len(text))) for text in TEXTS])
    backwards = encoder.encode(table(TEXTS[::-1], 64))[::-1]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, backwards)


def test_a_long_text_is_cut_as_the_tokenizer_cuts_it(int8: Path) -> None:
    text = random_texts(1, seed=9)[0][:1]
    long = np.concatenate([text, np.arange(3000, 3020), [102]]).astype(np.int32)
    cut = np.concatenate([text, np.arange(3000, 3006), [102]]).astype(np.int32)
    encoder = TextEncoder(int8, 1, 8)
    np.testing.assert_array_equal(encoder.encode(table([long])), encoder.encode(table([cut])))


def test_a_row_without_tokens_has_no_vector(int8: Path) -> None:
    encoder = TextEncoder(int8, 1, 64)
    assert not encoder.encode(np.zeros((2, 8), np.int16)).any()
    assert encoder.encode(np.zeros((0, 8), np.int16)).shape == (0, 384)


def test_what_is_remembered_is_what_would_be_encoded(int8: Path) -> None:
    encoder = TextEncoder(int8, 1, 64)
    texts = RememberedTexts(encoder, VectorMemory(4, encoder.size))
    tokens = table(TEXTS[:12])
    keys = row_keys(tokens)
    first = texts.vectors(keys, tokens)  # more than fit
    np.testing.assert_array_equal(first, texts.vectors(keys, tokens))
    np.testing.assert_array_equal(first, encoder.encode(tokens).astype(np.float16))


def test_a_text_without_key_is_encoded_and_not_remembered(int8: Path) -> None:
    encoder = TextEncoder(int8, 1, 64)
    memory = VectorMemory(4, encoder.size)
    tokens = table(TEXTS[:3])
    tokens[1] = 0
    found = RememberedTexts(encoder, memory).vectors(np.array([0, 7, 0]), tokens)
    np.testing.assert_array_equal(found, encoder.encode(tokens).astype(np.float16))
    assert len(memory) == 0


def test_memory_is_bounded_and_forgets_first_what_nobody_asked_for() -> None:
    memory = VectorMemory(3, 2)
    memory.put(np.array([1, 2, 3]), np.ones((3, 2), np.float32))
    memory.find(np.array([1]))
    memory.put(np.array([4]), np.full((1, 2), 4, np.float32))
    assert len(memory) == 3
    found, unknown = memory.find(np.array([1, 2, 3, 4]))
    assert unknown.tolist() == [1]
    np.testing.assert_array_equal(found, [[1, 1], [0, 0], [1, 1], [4, 4]])


def test_a_vector_comes_out_of_the_memory_as_the_float16_that_went_in() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)][:, None]
    keys = np.arange(1, len(finite) + 1)
    memory = VectorMemory(len(finite), 1)
    memory.put(keys, finite)
    found, _ = memory.find(keys)
    np.testing.assert_array_equal(found.view(np.int32), finite.astype(np.float32).view(np.int32))


def test_keys_of_token_rows_depend_on_the_tokens_only() -> None:
    narrow, wide = (row_keys(table(TEXTS[:6], width)) for width in (40, 64))
    np.testing.assert_array_equal(narrow, wide)
    assert len(set(narrow.tolist())) == 6
    assert (narrow < 0).all(), "content keys are positive: the two kinds must not meet"


def test_the_half_precision_tower_is_valid(weights: Weights) -> None:
    onnx.checker.check_model(onnx.load_from_string(build_float(weights, "float16")))


def test_publishing_needs_neither_torch_nor_pandas_nor_a_triton_client() -> None:
    no = "{'torch', 'transformers', 'pandas', 'lightgbm', 'tritonclient', 'ray'}"
    code = f"import sys, serving.training.publish.models; sys.exit(len({no} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
