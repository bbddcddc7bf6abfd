"""The ranker in PyTorch, from what is carried, is the published one."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from features.arrays import FloatArray
from loadtests.gpu.check.model.carried import Carried
from loadtests.gpu.check.model.matches import text_matches
from loadtests.gpu.check.model.onnx_tower import OnnxTower
from loadtests.gpu.check.model.ranking import Forest, Head, Ranking, Scorer
from loadtests.gpu.check.model.requests import padded_requests, table
from loadtests.gpu.check.model.tower import encode, encode_padded
from loadtests.gpu.check.scores import scores_of, tower_of
from loadtests.gpu.check.throughput import features_of, texts_of
from serving.models.runtime.scoring import text_features
from serving.training.fit.bundle import Bundle

CPU = torch.device("cpu")
FEW = 12  # texts


@torch.inference_mode()
def test_the_tower_gives_the_vectors_of_the_bundles_encoder(carried: Carried, bundle: Path) -> None:
    tokens = carried.texts["tokens"][:FEW]
    theirs = Bundle(bundle).tower()([row[row > 0].tolist() for row in tokens]).numpy()
    ours = encode(tower_of(carried, "float32", CPU), tokens, CPU)
    assert np.abs(ours - theirs).max() < 1e-4
    assert np.abs(ours - carried.reference["float32.vectors"][:FEW]).max() < 1e-4


def test_padding_changes_no_vector(carried: Carried) -> None:
    tower, tokens = tower_of(carried, "float32", CPU), carried.texts["tokens"][:FEW]
    assert len({np.count_nonzero(row) for row in tokens}) > 1
    assert np.abs(encode_padded(tower, tokens, CPU) - encode(tower, tokens, CPU)).max() < 1e-5


def test_onnx_runtime_takes_the_carried_constants(carried: Carried) -> None:
    onnx = OnnxTower(carried.folder, carried.tower, "float32", "cpu")
    vectors = encode(onnx, carried.texts["tokens"][:FEW], CPU)
    assert np.abs(vectors - carried.reference["float32.vectors"][:FEW]).max() < 1e-5


def test_float32_gives_the_scores_of_the_cpu(carried: Carried) -> None:
    scores = scores_of(carried, carried.reference["float32.vectors"], "float32", CPU)
    assert np.abs(scores - carried.reference["float32.scores"]).mean() < 1e-4


def test_int8_is_nearer_to_the_published_version_than_float32_is(carried: Carried) -> None:
    vectors = encode(tower_of(carried, "int8", CPU), carried.texts["tokens"], CPU)
    published = carried.reference["int8.scores"]
    ours = np.abs(scores_of(carried, vectors, "int8", CPU) - published).mean()
    exact = np.abs(carried.reference["float32.scores"] - published).mean()
    assert ours < exact / 4


def test_head_and_forest_give_the_scores_of_onnx_runtime(carried: Carried) -> None:
    features = features_of(carried, 300)
    features[torch.rand(features.shape, generator=torch.Generator().manual_seed(0)) < 0.2] = np.nan
    for name, member in (
        ("head", Head(carried.ranker, torch.float32)),
        ("forest", Forest(carried.ranker)),
    ):
        session = onnxruntime.InferenceSession(carried.folder / f"{name}.onnx")
        theirs = session.run(None, {"features": features.numpy()})[0][:, 0]
        assert np.abs(member(features).numpy() - theirs).max() < 1e-4, name


@pytest.mark.parametrize("counts", [(5, 0, 2), (0, 3, 0), (1, 2, 7), (0, 0, 0)])
def test_matches_are_those_of_the_published_code(counts: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(sum(counts))

    def unit(*shape: int) -> FloatArray:
        vectors: FloatArray = rng.normal(size=shape).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        return vectors

    items, query = unit(6, 16), unit(16)
    items[2] = 0  # without a text
    histories = [unit(7, 16) for _ in counts]
    for history, count in zip(histories, counts, strict=True):
        history[count:] = 0
    purchases = rng.uniform(1, 90, (7, 3)).astype(np.float32)
    purchases[counts[2] :] = 0
    user, session, bought = (torch.from_numpy(each[None]) for each in histories)
    for has_query in (True, False):
        ours = text_matches(
            torch.from_numpy(items[None]),
            torch.from_numpy(query[None]),
            torch.tensor([has_query]),
            (user, session),
            bought,
            torch.tensor([counts]),
            torch.from_numpy(purchases[None]),
        )
        known = [each[:count] for each, count in zip(histories, counts, strict=True)]
        theirs = text_features(
            items,
            query if has_query else None,
            known[0],
            known[1],
            known[2],
            purchases[: counts[2]],
        )
        np.testing.assert_allclose(ours[0].numpy(), theirs, atol=1e-5)


@pytest.mark.parametrize("precision", ["float16", "int8"])
@torch.inference_mode()
def test_a_batch_touches_nothing_on_the_host(carried: Carried, precision: str) -> None:
    """As a CUDA graph demands; on a device without memory, any such access is an error."""
    tower = tower_of(carried, precision, CPU)
    scorer = Scorer(carried.ranker, carried.about, torch.float16)
    ranking = Ranking(tower, scorer, table(carried.reference["float32.vectors"])).to("meta")
    asked = padded_requests(carried.slates, carried.texts["keys"], 100)
    assert ranking(*asked.to(torch.device("meta"))).shape == (1, 100)


def test_made_texts_have_the_length_that_was_asked_for(carried: Carried) -> None:
    texts = texts_of(carried.texts["tokens"], 5, 48)
    assert texts.shape == (5, 48)
    assert bool((texts > 0).all())
    assert np.isin(texts.numpy(), np.flatnonzero(carried.tower["words"].any(axis=1))).all()
