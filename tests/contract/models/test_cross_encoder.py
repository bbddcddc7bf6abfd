"""The plain cross-encoder in the real tritonserver: written, published beside the others, asked."""

from pathlib import Path

import numpy as np
import pytest
import torch

from serving.models.runtime.pairs import PAIRS, SCORER, PairScorer
from serving.models.triton import TritonCrossEncoder
from serving.training.fit.cross_encoder import MAX_TOKENS, CrossEncoder, write_cross_encoder
from serving.training.publish.__main__ import main
from serving.training.publish.models import publish_cross_encoder
from serving.training.publish.parity import ParityLimits
from serving.training.publish.repository import PublishError, versions
from serving.training.publish.texts import padded
from tests.support.model_servers import model_server

WORDS = ("red", "blue", "green", "iron", "glass", "small", "mug", "lamp", "kettle", "bowl")
BUDGET_S = 30.0
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def model() -> CrossEncoder:
    torch.manual_seed(3)
    model = CrossEncoder()
    torch.nn.init.normal_(model.out.weight)  # as if trained: a new one scores all alike
    return model.eval()


@pytest.fixture(scope="module")
def pairs(model: CrossEncoder) -> list[list[int]]:
    """`[CLS] context [SEP] item [SEP]`: every word pair as context and as item."""
    texts = model.tower.tokens([f"{a} {b}" for a in WORDS for b in WORDS if a != b])
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(texts), size=(300, 2)).tolist()
    return [[*texts[context], *texts[item][1:]] for context, item in chosen]


@pytest.fixture(scope="module")
def bundle(
    model: CrossEncoder, pairs: list[list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("cross") / "bundle"
    write_cross_encoder(folder, model, pairs[:250], {"dataset": "words"})
    return folder


async def test_it_is_served_beside_the_ranker_and_scores_as_it_was_trained(
    repository: Path, bundle: Path, model: CrossEncoder, pairs: list[list[int]], tmp_path: Path
) -> None:
    running = model_server(repository, tmp_path)
    running.start()
    client = TritonCrossEncoder(running.grpc_address)
    try:
        number = publish_cross_encoder(repository, bundle, reload_urls=[running.http_url])
        tokens = padded(pairs, MAX_TOKENS)
        found = await client.score(tokens, BUDGET_S)
        alone = await client.score(tokens[7:8, : len(pairs[7])], BUDGET_S)
        nothing = await client.score(np.zeros((1, 4), np.int16), BUDGET_S)
    finally:
        await client.close()
        running.stop()
    here = PairScorer(repository / "cross_encoder" / str(number), MAX_TOKENS, threads=1).scores(
        tokens
    )
    # NumPy 1 there and 2 here add up a product in different orders on some processors.
    np.testing.assert_allclose(found, here, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(alone, found[7:8], rtol=1e-5)  # batch mates change nothing
    assert nothing.tolist() == [0.0]
    with torch.inference_mode():
        exact = model(pairs).numpy()
    assert np.corrcoef(found, exact)[0, 1] > 0.99
    assert found.std() > 0.1


def test_the_command_line_publishes_it_and_says_what_is_missing(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["cross_encoder", "--repository", str(tmp_path / "models"), "--bundle"]
    assert main([*command, str(bundle)]) == 0
    assert "cross_encoder 1 is in use" in capsys.readouterr().out
    for name in (PAIRS, SCORER, "training.json"):
        copy = tmp_path / f"without {name}"
        copy.mkdir()
        for path in bundle.iterdir():
            if path.name != name:
                (copy / path.name).write_bytes(path.read_bytes())
        assert main([*command, str(copy)]) == 1
        assert name in capsys.readouterr().err
    assert versions(tmp_path / "models", "cross_encoder") == [1]


def test_one_that_int8_spoils_is_not_published(bundle: Path, tmp_path: Path) -> None:
    strict = ParityLimits(min_mean_cosine=1.1)
    with pytest.raises(PublishError, match="mean_cosine"):
        publish_cross_encoder(tmp_path / "models", bundle, limits=strict)
    assert versions(tmp_path / "models", "cross_encoder") == []
