"""The contract of the model's tensors: declared once, and everything else follows from it."""

import ast
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from tritonclient.grpc import model_config_pb2

from serving.models.contract import (
    COUNTS,
    INPUTS,
    MODELS,
    PART_NAMES,
    PARTS,
    Limits,
    Rows,
    request_tensors,
)
from serving.models.packing import BatchError, checked, pack
from serving.training.publish.configuration import configuration
from serving.training.publish.version_files import CODE

ROOT = Path(__file__).resolve().parents[3]


def request(n: int = 3, n_bought: int = 2) -> dict[str, np.ndarray]:
    keys, tokens = np.arange(50), np.arange(100, dtype=np.int16).reshape(50, 2)
    return dict(
        request_tensors(
            lambda rows: (keys[rows], tokens[rows]),
            np.ones((1, 4), np.int16),
            np.arange(4),
            np.arange(1),
            np.arange(n_bought),
            np.ones((n_bought, 3), np.float32),
            np.arange(n),
            np.zeros((n, 5), np.float32),
        )
    )


def test_a_request_has_every_input_in_its_type_and_with_its_rows() -> None:
    tensors = request()
    assert list(tensors) == [tensor.name for tensor in INPUTS]
    checked(tensors, 5)
    for tensor in INPUTS:
        assert tensors[tensor.name].dtype == tensor.dtype, tensor.name


def test_what_is_ragged_is_counted_by_inputs_of_one_number_a_request() -> None:
    by_name = {tensor.name: tensor for tensor in INPUTS}
    assert {tensor.rows for tensor in INPUTS} - {Rows.REQUEST} == set(COUNTS)
    for names in COUNTS.values():
        for name in names:
            assert (by_name[name].rows, by_name[name].columns) == (Rows.REQUEST, None)


@pytest.mark.parametrize("tensor", INPUTS, ids=lambda tensor: tensor.name)
def test_a_tensor_with_a_row_too_many_is_refused_by_its_name(tensor: object) -> None:
    name = getattr(tensor, "name")  # noqa: B009 - parametrised ids take any object
    batch = pack([request(), request(4, 0)])
    batch[name] = np.concatenate([batch[name], batch[name][:1]])
    with pytest.raises(BatchError, match=name):
        checked(batch, 5)


def test_token_rows_of_a_batch_are_as_wide_as_its_longest_text() -> None:
    first, second = request(), request(4, 0)
    wide = np.zeros((3, 48), np.int16)
    wide[0, :3] = wide[1, :2] = 7
    first["ITEM_TOKENS"] = wide
    first["HISTORY_TOKENS"], second["HISTORY_TOKENS"] = (
        np.zeros_like(each["HISTORY_TOKENS"]) for each in (first, second)
    )
    batch = pack([first, second])
    np.testing.assert_array_equal(batch["ITEM_TOKENS"][:3], wide[:, :3])
    np.testing.assert_array_equal(batch["ITEM_TOKENS"][3:, :2], second["ITEM_TOKENS"])
    assert batch["HISTORY_TOKENS"].shape == (12, 1)  # the model server takes no rows of nothing


def test_a_purchase_has_three_numbers() -> None:
    batch = pack([request()])
    batch["PURCHASES"] = batch["PURCHASES"][:, :2]
    with pytest.raises(BatchError, match=r"PURCHASES .* a row has 3 numbers"):
        checked(batch, 5)


@pytest.mark.parametrize("model", MODELS)
def test_the_model_server_s_configuration_says_what_the_contract_says(model: str) -> None:
    limits = Limits(user_history=5) if model == "ranker" else None
    config = text_format.Parse(
        configuration(model, "int8", 2, limits), model_config_pb2.ModelConfig()
    )
    inputs, outputs = MODELS[model]
    for declared, tensors in ((config.input, inputs), (config.output, outputs)):
        assert [entry.name for entry in declared] == [tensor.name for tensor in tensors]
        assert [tuple(entry.dims) for entry in declared] == [tensor.dims for tensor in tensors]
    parameters = {name: entry.string_value for name, entry in config.parameters.items()}
    assert Limits.of(parameters) == (limits or Limits())


def test_limits_that_a_version_does_not_tell_are_the_usual_ones() -> None:
    assert Limits.of({}) == Limits()
    assert Limits.of({"user_history": "3", "threads": "2"}) == Limits(user_history=3)


def test_each_member_of_the_blend_is_a_part_by_a_name_of_its_own() -> None:
    assert len(set(PART_NAMES)) == len(PARTS)
    assert {part.member: part.name for part in PARTS if part.member} == {
        "head": "network", "forest": "forest",
    }  # fmt: skip


def test_a_version_carries_all_that_its_code_imports() -> None:
    carried = {Path(name) for name in CODE}
    entries = sorted((ROOT / "serving/models/runtime").glob("*/model.py"))
    assert len(entries) == len(MODELS)
    for path in [*entries, *(ROOT / name for name in carried)]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("serving"):
                module = Path(str(node.module).replace(".", "/")).with_suffix(".py")
                assert module in carried, f"{path.name} imports {node.module}"


def test_an_input_with_a_default_may_be_missing_and_others_may_not() -> None:
    batch = pack([request(), request(4, 0)])
    for tensor in INPUTS:
        without = {name: rows for name, rows in batch.items() if name != tensor.name}
        if tensor.default is None:
            with pytest.raises(BatchError, match=f"{tensor.name} missing"):
                checked(without, 5)
        else:
            assert (checked(without, 5)[tensor.name] == tensor.default).all()
