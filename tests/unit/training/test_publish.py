"""Publishing bundles and the base model, and the command line of it, without a model server."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

from serving.models.contract import MAX_TOKENS
from serving.models.runtime.sealed import check_version
from serving.training.publish.__main__ import addresses_of, main
from serving.training.publish.encoders import publish_encoder
from serving.training.publish.execution import execution_of
from serving.training.publish.models import publish_ranker
from serving.training.publish.repository import (
    PublishError,
    version_in_use,
    versions,
)
from tests.support.ranker_batches import ITEMS


def test_the_encoder_is_published_with_a_question_to_check_a_server_by(tmp_path: Path) -> None:
    assert publish_encoder(tmp_path) == 1
    manifest = check_version(tmp_path / "encoder" / "1")
    assert len(manifest["probe"]["tokens"]) == len(manifest["probe"]["vectors"]) == 2


def test_float16_is_checked_by_what_float32_answers(tmp_path: Path) -> None:
    probes = []
    for precision in ("int8", "float16"):
        publish_encoder(tmp_path / precision, precision=precision)
        probes.append(check_version(tmp_path / precision / "encoder" / "1")["probe"])
    assert probes[0]["tokens"] == probes[1]["tokens"]
    int8, exact = (np.array(probe["vectors"]) for probe in probes)
    assert 0 < np.abs(int8 - exact).max() < 0.02


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("base_sha256", "0" * 64, "other base weights"),
        ("blend", {"head": {}, "boosted": {}}, "boosted.onnx missing"),
        ("text_feature_names", ["text_query"], "other text features"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(
    tmp_path: Path, bundle: Path, key: str, value: object, complaint: str
) -> None:
    broken = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    training = json.loads((broken / "training.json").read_text())
    training["blend"] = {"head": training["blend"]["head"]}
    (broken / "training.json").write_text(json.dumps({**training, key: value}))
    with pytest.raises(PublishError, match=complaint):
        publish_ranker(tmp_path / "repository", broken)
    assert versions(tmp_path / "repository", "ranker") == []


def test_a_version_that_learnt_nothing_of_queries_says_so(tmp_path: Path, bundle: Path) -> None:
    untaught = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    training = json.loads((untaught / "training.json").read_text())
    training["unlearnt"] = {"text_query": None}
    (untaught / "training.json").write_text(json.dumps(training))
    repository = tmp_path / "repository"
    read = []
    for folder in (bundle, untaught):
        number = str(publish_ranker(repository, folder))
        read.append(check_version(repository / "ranker" / number)["limits"]["query_tokens"])
        config = (repository / "ranker" / number / "config.pbtxt").read_text()
        assert f'key: "query_tokens" value {{ string_value: "{read[-1]}" }}' in config
    assert read == [MAX_TOKENS, 0]


def test_the_command_line_says_in_one_line_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["ranker", "--repository", str(tmp_path), "--bundle", str(tmp_path / "none")]
    assert main(command) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_half_precision_is_published_with_the_gpu_configuration(
    tmp_path: Path, bundle: Path
) -> None:
    publish_ranker(tmp_path, bundle, precision="float16")
    parity = check_version(tmp_path / "ranker" / "1")["parity"]
    assert (parity is None) == (execution_of("float16") is None), "compared wherever a GPU is"
    assert "KIND_GPU" in (tmp_path / "ranker" / "config.pbtxt").read_text()
    tower = onnx.load(tmp_path / "ranker" / "1" / "text_encoder.onnx")
    kinds = {initializer.data_type for initializer in tower.graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}


def test_ensure_publishes_what_has_no_version_and_nothing_else(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text(json.dumps(ITEMS[0]) + "\n")
    repository = tmp_path / "repository"
    command = ["ensure", "--repository", str(repository), "--bundle", str(bundle)]
    command += ["--item-texts", str(texts), "--precision", "float16"]
    for _ in range(2):
        assert main(command) == 0
    assert [versions(repository, model) for model in ("encoder", "ranker")] == [[1], [1]]
    assert capsys.readouterr().out.count("first version published") == 2


def test_two_first_starts_publish_once(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = tmp_path / "repository"
    command = ["ensure", "--repository", str(repository), "--bundle", str(bundle)]
    command += ["--precision", "float16"]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(main, [command, command])) == [0, 0]
    assert capsys.readouterr().out.count("first version published") == 2  # of two models
    assert versions(repository, "ranker") == [1]


def test_ensure_does_not_go_on_without_the_texts_that_it_was_told_of(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "texts.jsonl"
    command = ["ensure", "--repository", str(tmp_path / "repository"), "--bundle", str(bundle)]
    assert main([*command, "--item-texts", str(missing), "--wait", "0.1"]) == 1
    assert str(missing) in capsys.readouterr().err
    assert version_in_use(tmp_path / "repository", "ranker") is None


def test_an_address_to_reload_stands_for_every_machine_of_its_name() -> None:
    assert "http://127.0.0.1:8000/x" in addresses_of("http://localhost:8000/x")
    with pytest.raises(PublishError, match=r"no\.invalid"):
        addresses_of("http://no.invalid:8000")
