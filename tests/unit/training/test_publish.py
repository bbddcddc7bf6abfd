"""Publishing, rolling back, and the ranker of a published version, without a model server."""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from tritonclient.grpc import model_config_pb2

from features.catalog.item import content_key
from serving.models.contract import BatchError
from serving.models.runtime.ranking import MIN_ROWS, VersionRanker
from serving.models.runtime.text_vectors import BrokenVersionError, check_version
from serving.training.publish.__main__ import addresses_of, main
from serving.training.publish.base_model import base_folder
from serving.training.publish.configuration import configuration
from serving.training.publish.execution import CPU, GPU, execution_of
from serving.training.publish.models import publish_encoder, publish_ranker
from serving.training.publish.parity import Parity, ParityError, ParityLimits, slate_ndcgs
from serving.training.publish.repository import (
    PublishError,
    put_in_use,
    rollback,
    staging,
    version_in_use,
    versions,
)
from serving.training.publish.texts import tokenize
from tests.support.tiny_bundle import FEATURES, MAX_TOKENS, write_bundle

Batch = dict[str, Any]  # arrays by tensor name

ITEMS = [f"{color} {thing}" for color in ("red", "blue", "green") for thing in ("mug", "lamp")]
QUERY = "a red mug"
GOOD = Parity(n_texts=9, mean_cosine=0.999, min_cosine=0.99, rank_correlation=0.999)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_bundle(tmp_path_factory.mktemp("bundle") / "bundle")
    np.savez(folder / "held_out.npz", **slate(), LABELS=np.array([1, 0, 0, 0, 0, 0], np.float32))
    return folder


@pytest.fixture(scope="module")
def item_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "items.jsonl"
    path.write_text("".join(json.dumps(text) + "\n" for text in ITEMS))
    return path


@pytest.fixture(scope="module")
def published(bundle: Path, item_texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which version 5 is in use, and four were published before it."""
    repository = tmp_path_factory.mktemp("repository")
    assert publish_ranker(repository, bundle, item_texts=item_texts) == 1
    for _ in range(4):
        publish_again(repository)
    return repository


def publish_again(repository: Path, reload_urls: Sequence[str] = ()) -> int:
    """The files of the version in use as the next version."""
    folder = repository / "ranker" / str(version_in_use(repository, "ranker"))
    with staging(repository, "ranker") as scratch:
        copy = Path(shutil.copytree(folder, scratch / "version"))
        about = json.loads((copy / "manifest.json").read_text())
        for name in ("manifest.json", "config.pbtxt"):
            (copy / name).unlink()
        kept = {key: about[key] for key in ("data", "features", "metrics", "precision", "parity")}
        return put_in_use(repository, "ranker", copy, kept, 2, reload_urls)


@pytest.fixture
def repository(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "repository"))


@pytest.fixture(scope="module")
def ranker(published: Path) -> VersionRanker:
    return VersionRanker(published / "ranker" / "5", threads=1, memory=100)


def tokens_of(*texts: str) -> npt.NDArray[np.int16]:
    return tokenize(base_folder() / "tokenizer.json", texts, MAX_TOKENS)


def slate(
    query: str = QUERY,
    user: int = 2,
    session: int = 1,
    rows: int = 6,
    seed: int = 0,
    bought: int = 2,
) -> Batch:
    """One request; histories and candidates are taken from ITEMS in turn."""
    history = [ITEMS[i % 6] for i in range(user + session + bought)]
    items = [ITEMS[i % 6] for i in range(rows)]
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    features[rng.random(features.shape) < 0.2] = np.nan
    return {
        "QUERY_TOKENS": tokens_of(query),
        "USER_HISTORY_COUNTS": np.array([user], np.int32),
        "SESSION_HISTORY_COUNTS": np.array([session], np.int32),
        "BOUGHT_COUNTS": np.array([bought], np.int32),
        "PURCHASES": rng.uniform(1, 9, (bought, 3)).astype(np.float32),
        "HISTORY_KEYS": np.array([content_key(text) for text in history], np.int64),
        "HISTORY_TOKENS": tokens_of(*history),
        "ROW_COUNTS": np.array([rows], np.int32),
        "ITEM_KEYS": np.array([content_key(text) for text in items], np.int64),
        "ITEM_TOKENS": tokens_of(*items),
        "FEATURES": features,
    }


def joined(*batches: Batch) -> Batch:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


# --- what is in a version ---


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


def test_many_rows_shared_out_to_threads_have_the_scores_of_one_thread(published: Path) -> None:
    folder, batch = published / "ranker" / "5", slate(rows=3 * MIN_ROWS)
    alone, _ = VersionRanker(folder, threads=1, memory=100).score(batch)
    shared, _ = VersionRanker(folder, threads=2, memory=100).score(batch)
    np.testing.assert_array_equal(shared, alone)


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


# --- into use, and back ---


def test_rollback_goes_back_a_version_at_a_time_and_then_says_that_it_cannot(
    repository: Path,
) -> None:
    assert [rollback(repository, "ranker") for _ in range(2)] == [4, 3]
    assert version_in_use(repository, "ranker") == 3
    with pytest.raises(PublishError, match="no version before 3"):
        rollback(repository, "ranker")


def test_publishing_after_a_rollback_reuses_no_number_and_keeps_what_was_in_use(
    repository: Path,
) -> None:
    rollback(repository, "ranker")
    assert publish_again(repository) == 6
    assert versions(repository, "ranker") == [4, 5, 6]
    assert main(["rollback", "--repository", str(repository)]) == 0
    assert version_in_use(repository, "ranker") == 5


def test_rollback_to_a_damaged_version_is_refused(repository: Path) -> None:
    (repository / "ranker" / "4" / "head.onnx").unlink()
    with pytest.raises(PublishError, match=r"head.onnx is missing"):
        rollback(repository, "ranker")
    assert version_in_use(repository, "ranker") == 5


def test_a_version_that_a_server_does_not_take_is_taken_back(repository: Path) -> None:
    with pytest.raises(PublishError, match="did not answer"):
        publish_again(repository, ["http://127.0.0.1:9"])
    assert version_in_use(repository, "ranker") == 5
    assert versions(repository, "ranker") == [3, 4, 5]


# --- the gate ---


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"mean_cosine": 0.9}, "mean_cosine"),
        ({"min_cosine": 0.5}, "min_cosine"),
        ({"rank_correlation": float("nan")}, "rank_correlation"),
        ({"ndcg_float32": 0.5, "ndcg": 0.49}, "NDCG@10 loss 0.0200"),
    ],
)
def test_each_limit_of_parity_holds_alone(change: dict[str, float], named: str) -> None:
    figures: dict[str, Any] = {
        "n_texts": 9, "mean_cosine": 0.999, "min_cosine": 0.99, "rank_correlation": 0.999,
        "ndcg_float32": 0.5, "ndcg": 0.499,
    }  # fmt: skip
    Parity(**figures).check(ParityLimits())
    with pytest.raises(ParityError, match=named):
        Parity(**{**figures, **change}).check(ParityLimits())


def test_a_bundle_below_the_limits_is_not_published(tmp_path: Path, bundle: Path) -> None:
    strict = ParityLimits(min_mean_cosine=0.99999)
    with pytest.raises(PublishError, match="mean_cosine"):
        publish_ranker(tmp_path, bundle, limits=strict)
    assert version_in_use(tmp_path, "ranker") is None
    assert versions(tmp_path, "ranker") == []


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


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_version_does_not_open_without_the_provider_that_it_asks_for(published: Path) -> None:
    with pytest.raises(BrokenVersionError, match="could not start CUDAExecutionProvider"):
        VersionRanker(published / "ranker" / "5", providers=["CUDAExecutionProvider"])


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


def test_the_command_line_says_in_one_line_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["ranker", "--repository", str(tmp_path), "--bundle", str(tmp_path / "none")]
    assert main(command) == 1
    assert capsys.readouterr().err.count("\n") == 1


# --- the ranker of a version ---


def test_a_score_is_the_sum_of_its_parts(ranker: VersionRanker) -> None:
    scores, parts = ranker.score(slate())
    np.testing.assert_allclose(scores, parts[:, 2] + parts[:, 3], rtol=1e-5)
    assert np.isfinite(parts[:, [0, 2, 3]]).all()
    assert np.isnan(parts[:, 1]).all()  # trained with queries, it needs no prior for them


def test_a_ranker_trained_without_queries_still_heeds_them(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    training = json.loads((bundle / "training.json").read_text())
    training["query_prior"] = {"weight": 50.0, "mean": 0.3, "std": 0.1}
    (bundle / "training.json").write_text(json.dumps(training))
    publish_ranker(tmp_path / "repository", bundle)
    ranker = VersionRanker(tmp_path / "repository" / "ranker" / "1")
    scores, parts = ranker.score(slate("red mug", 0, 0))
    assert np.argmax(scores) == ITEMS.index("red mug")
    np.testing.assert_allclose(scores, parts[:, 1:].sum(axis=1), rtol=1e-5)
    _, parts = ranker.score(slate("", 0, 0))
    assert np.isnan(parts[:, 1]).all()


def test_features_are_taken_by_name_and_a_missing_one_is_unknown(ranker: VersionRanker) -> None:
    batch = slate()
    scores, _ = ranker.score(batch)
    price, popularity, age = batch["FEATURES"].T
    other = np.full_like(price, 7)
    named = {**batch, "FEATURES": np.stack([other, age, price, popularity], 1)}
    renamed, _ = ranker.score(named, "newer,age,price,popularity")
    np.testing.assert_array_equal(renamed, scores)
    unknown = {**batch, "FEATURES": np.stack([price, np.full_like(price, np.nan), age], 1)}
    expected, _ = ranker.score(unknown)
    got, _ = ranker.score({**batch, "FEATURES": np.stack([age, price], 1)}, "age,price")
    np.testing.assert_array_equal(got, expected)


def test_a_score_depends_neither_on_batch_mates_nor_on_order(ranker: VersionRanker) -> None:
    first, second, third = slate(), slate("", 0, 0, 40, seed=1), slate("blue", 6, 0, 3, seed=2)
    alone = [ranker.score(batch) for batch in (first, second, third)]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        batches = [(first, second, third)[i] for i in order]
        together = ranker.score(joined(*batches))
        for got, *expected in zip(together, *(alone[i] for i in order), strict=True):
            np.testing.assert_allclose(got, np.concatenate(expected), atol=1e-6)


def test_the_text_part_is_the_best_match_and_nan_without_anything_to_match(
    ranker: VersionRanker,
) -> None:
    _, parts = ranker.score(slate("red mug", 0, 0))
    assert np.argmax(parts[:, 0]) == ITEMS.index("red mug")
    assert parts[:, 0].max() > 0.95
    _, parts = ranker.score(slate("", 0, 0))
    assert np.isnan(parts[:, 0]).all()


def test_an_item_without_text_is_scored_by_its_behaviour(ranker: VersionRanker) -> None:
    batch = slate()
    batch["ITEM_TOKENS"][2] = 0
    scores, parts = ranker.score(batch)
    assert np.isfinite(scores).all()
    assert np.isnan(parts[2, 0])


def test_nothing_asked_is_nothing_answered(ranker: VersionRanker) -> None:
    for batch in (slate("", 0, 0, 0), {name: values[:0] for name, values in slate().items()}):
        scores, parts = ranker.score(batch)
        assert (scores.shape, parts.shape) == ((0,), (0, 4))


def test_a_version_without_forest_has_no_forest_part(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", forest=False)
    publish_ranker(tmp_path / "repository", bundle)
    scores, parts = VersionRanker(tmp_path / "repository" / "ranker" / "1").score(slate())
    assert np.isfinite(scores).all()
    assert np.isnan(parts[:, 3]).all()


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("FEATURES", lambda values: values[:, :2], "2 columns; this version takes 3"),
        ("FEATURES", lambda values: values[:4], "FEATURES has 4 rows, but ROW_COUNTS add up to 6"),
        ("ROW_COUNTS", lambda values: values + 1, "ROW_COUNTS add up to 7"),
        ("ROW_COUNTS", lambda values: -values, "ROW_COUNTS must be 1 numbers"),
        (
            "USER_HISTORY_COUNTS",
            lambda values: values + 1,
            r"USER_HISTORY_COUNTS \+ .* add up to 6",
        ),
        ("HISTORY_TOKENS", lambda values: values[:1], "HISTORY_TOKENS has 1 rows"),
        ("PURCHASES", lambda values: values[:1], "BOUGHT_COUNTS add up to 2"),
    ],
)
def test_a_batch_that_does_not_add_up_is_refused(
    ranker: VersionRanker, name: str, change: Any, complaint: str
) -> None:
    batch = slate()
    batch[name] = change(batch[name])
    with pytest.raises(BatchError, match=complaint):
        ranker.score(batch)


def test_ndcg_on_slates_is_one_for_labels_in_the_ranker_s_order(
    ranker: VersionRanker, published: Path, tmp_path: Path
) -> None:
    batch = joined(slate(), slate(seed=3))
    scores, _ = ranker.score(batch)
    best = np.zeros(12, np.float32)
    best[[np.argmax(scores[:6]), 6 + np.argmax(scores[6:])]] = 1
    np.savez(tmp_path / "slates.npz", **batch, LABELS=best)
    folder = published / "ranker" / "5"
    assert slate_ndcgs(folder, tmp_path / "slates.npz").mean() == 1.0
    np.savez(tmp_path / "slates.npz", **batch, LABELS=1 - best)
    assert slate_ndcgs(folder, tmp_path / "slates.npz").mean() < 1.0


def test_the_gate_holds_a_constant_score_to_be_worth_a_random_order(
    repository: Path, tmp_path: Path
) -> None:
    folder = repository / "ranker" / "5"
    training = json.loads((folder / "training.json").read_text())
    for member in training["blend"].values():
        member["weight"] = 0.0
    (folder / "training.json").write_text(json.dumps(training))
    wanted_first = np.array([1, 0, 0, 0, 0, 0], np.float32)
    np.savez(tmp_path / "slates.npz", **slate(), LABELS=wanted_first)
    expected = np.mean(1 / np.log2(np.arange(2, 8)))
    assert slate_ndcgs(folder, tmp_path / "slates.npz") == pytest.approx([expected])


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
