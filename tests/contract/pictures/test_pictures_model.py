"""The encoder of pictures in the real tritonserver, asked by serving's own client."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from serving.errors import BadModelOutputError, RankingError
from serving.local.model_server import ModelServer
from serving.models.connection import Connection
from serving.models.contract import PICTURE_SIDE, PICTURE_VECTOR_SIZE
from serving.models.settings import ModelSettings
from serving.pictures.encoder import TritonPictures
from serving.training.publish.pictures.version import drawn_pictures, publish_pictures
from tests.support.model_servers import model_server

pytestmark = pytest.mark.timeout(300)
BUDGET_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    repository = tmp_path_factory.mktemp("repository")
    publish_pictures(repository)
    running = model_server(repository, tmp_path_factory.mktemp("triton"), models=("pictures",))
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def encoder(server: ModelServer) -> Any:
    where = ModelSettings(grpc_address=server.grpc_address, tokenizer_path="x")
    client = TritonPictures(where, "pictures")
    yield client
    await client.close()


async def test_a_picture_is_most_like_itself_a_little_brighter(encoder: TritonPictures) -> None:
    pixels = drawn_pictures(4, 1).reshape(-1, PICTURE_SIDE, PICTURE_SIDE, 3)
    brighter = (pixels.astype(int) + 6).clip(0, 255).astype(np.uint8)
    vectors = await encoder.encode(list(pixels), BUDGET_S)
    others = await encoder.encode(list(brighter), BUDGET_S)
    assert vectors.shape == (4, PICTURE_VECTOR_SIZE)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert (vectors @ others.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


async def test_what_is_no_picture_and_another_encoder_are_refused(server: ModelServer) -> None:
    connection = Connection(server.grpc_address, "pictures", None)
    pixels = {"PIXELS": np.zeros((1, PICTURE_SIDE**2 * 3), np.uint8)}
    with pytest.raises(BadModelOutputError, match="this is efficientnet-lite0"):
        await connection.infer(pixels, BUDGET_S, None, {"encoder": "another"})
    with pytest.raises(RankingError):
        await connection.infer({"PIXELS": np.zeros((1, 3), np.uint8)}, BUDGET_S, None)
    await connection.close()
