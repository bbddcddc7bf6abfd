"""What a published version holds, and how its configuration and its seal are checked."""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from tritonclient.grpc import model_config_pb2

from features.catalog.item import content_key
from serving.models.runtime.ranking import VersionRanker
from serving.models.runtime.sealed import BrokenVersionError, check_version
from serving.training.publish.configuration import configuration
from serving.training.publish.execution import CPU, GPU
from serving.training.publish.repository import (
    versions,
)
from tests.support.ranker_batches import ITEMS, slate
from tests.support.tiny_bundle import FEATURES


def test_a_version_says_what_it_is_made_of(published: Path, bundle: Path) -> None:
    manifest = check_version(published / "ranker" / "5")
    assert (manifest["model"], manifest["version"]) == ("ranker", 5)
    assert manifest["data"] == {"name": "tiny", "seed": 0}
    assert manifest["features"] == list(FEATURES)
    assert manifest["metrics"] == {"ndcg@10": 0.5}
    assert manifest["parity"]["mean_cosine"] > 0.99
    assert manifest["parity"]["ndcg_float32"] > 0
    assert {"model.py", "head.onnx", "forest.onnx", "text_encoder.onnx", "item_vectors.npz",
            "tokenizer.json", "training.json"} <= manifest["files"].keys()  # fmt: skip


def test_published_item_vectors_are_those_that_the_version_would_compute(published: Path) -> None:
    folder = published / "ranker" / "5"
    with np.load(folder / "item_vectors.npz") as stored:
        place = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))
    assert place.keys() == {content_key(text) for text in ITEMS}
    batch = slate()
    by_memory, _ = VersionRanker(folder, threads=1, memory=100).score(batch)
    batch["ITEM_KEYS"] = batch["ITEM_KEYS"] + 1  # keys that nobody has seen
    computed, _ = VersionRanker(folder, threads=1, memory=100).score(batch)
    np.testing.assert_array_equal(by_memory, computed)


def test_only_the_newest_versions_are_kept(published: Path) -> None:
    assert versions(published, "ranker") == [3, 4, 5]
    assert not list((published / "ranker").glob(".staging-*"))


def test_the_configuration_names_the_newest_version(published: Path) -> None:
    config = text_format.Parse(
        (published / "ranker" / "config.pbtxt").read_text(), model_config_pb2.ModelConfig()
    )
    assert list(config.version_policy.specific.versions) == [5]
    assert config.parameters["threads"].string_value == "2"


@pytest.mark.parametrize("model", ["ranker", "encoder", "cross_encoder"])
def test_cpu_and_gpu_configurations_agree_but_for_where_they_run(model: str) -> None:
    cpu, gpu = (
        text_format.Parse(configuration(model, precision, 2, None), model_config_pb2.ModelConfig())
        for precision in ("int8", "float16")
    )
    assert cpu.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_CPU
    assert gpu.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_GPU
    assert cpu.parameters.keys() == gpu.parameters.keys()
    for config, where in ((cpu, CPU), (gpu, GPU)):  # the parity gate runs a tower as Triton will
        options = {name: config.parameters[name].string_value for name in ("providers", "batch")}
        assert options == {"providers": ",".join(where.providers), "batch": str(where.batch)}
    for config in (cpu, gpu):
        config.ClearField("instance_group")
        config.ClearField("parameters")
    assert cpu == gpu


@pytest.mark.parametrize(
    "name", ["head.onnx", "model.py", "code/serving/models/runtime/scoring.py"]
)
def test_a_changed_file_is_found(repository: Path, name: str) -> None:
    folder = repository / "ranker" / "5"
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(BrokenVersionError, match=f"{name} was changed"):
        check_version(folder)


def test_a_missing_and_an_added_file_are_found(repository: Path) -> None:
    folder = repository / "ranker" / "5"
    (folder / "code" / "sitecustomize.py").touch()
    with pytest.raises(BrokenVersionError, match=r"code/sitecustomize.py is not part"):
        check_version(folder)
    (folder / "code" / "sitecustomize.py").unlink()
    (folder / "forest.onnx").unlink()
    with pytest.raises(BrokenVersionError, match=r"forest.onnx is missing"):
        check_version(folder)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_version_does_not_open_without_the_provider_that_it_asks_for(published: Path) -> None:
    with pytest.raises(BrokenVersionError, match="could not start CUDAExecutionProvider"):
        VersionRanker(published / "ranker" / "5", providers=["CUDAExecutionProvider"])
