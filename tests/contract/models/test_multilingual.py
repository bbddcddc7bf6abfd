"""The multilingual encoder in the real tritonserver, through what serving and its index use."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.errors import BadModelOutputError
from serving.local.model_server import ModelServer
from serving.local.models import tokenizer_path
from serving.models.contract import EncoderProfile
from serving.models.encoder import TextVectors
from serving.models.settings import ModelSettings
from serving.search.vectors import StoredVectors
from serving.training.publish.encoders import publish_encoder
from tests.support.model_requests import BUDGET_S
from tests.support.model_servers import model_server

pytestmark = pytest.mark.timeout(300)

SHOES, OTHERS = (
    ["running shoes", "跑鞋", "ランニングシューズ"],
    ["red wine", "吹风机", "garden hose"],
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    repository = tmp_path_factory.mktemp("repository")
    publish_encoder(repository, profile=EncoderProfile.MULTILINGUAL)
    running = model_server(repository, tmp_path_factory.mktemp("triton"), models=("encoder",))
    running.start()
    yield running
    running.stop()


def vectors_of(server: ModelServer, profile: EncoderProfile) -> TextVectors:
    return TextVectors.of(
        ModelSettings(
            grpc_address=server.grpc_address,
            tokenizer_path=tokenizer_path(),
            encoder_profile=profile,
            encoder_tokenizer_path=tokenizer_path(profile),
        )
    )


async def test_a_name_is_nearest_to_the_same_name_in_another_language(
    server: ModelServer,
) -> None:
    encoder = vectors_of(server, EncoderProfile.MULTILINGUAL)
    found: Any = await encoder.encode([*SHOES, *OTHERS, ""], BUDGET_S)
    match = found @ found.T
    assert match[:3, :3].min() > match[:3, 3:6].max()
    assert not found[-1].any()


def test_the_index_gets_the_same_vectors_and_not_those_of_another_profile(
    server: ModelServer, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.npz"
    encoder = vectors_of(server, EncoderProfile.MULTILINGUAL)
    stored = StoredVectors(path, encoder, "multilingual").vectors([*SHOES, *OTHERS])
    match = stored @ stored.T
    assert match[:3, :3].min() > match[:3, 3:].max()
    with pytest.raises(BadModelOutputError, match="profile english"):
        StoredVectors(path, vectors_of(server, EncoderProfile.ENGLISH), "english").vectors(SHOES)


async def test_tokens_of_another_profile_are_refused(server: ModelServer) -> None:
    encoder = vectors_of(server, EncoderProfile.ENGLISH)
    with pytest.raises(BadModelOutputError, match="profile english, this is multilingual"):
        await encoder.encode(SHOES, BUDGET_S)


async def test_a_version_of_before_is_asked_with_int16(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    publish_encoder(repository)
    configuration = repository / "encoder" / "config.pbtxt"
    configuration.write_text(configuration.read_text().replace("TYPE_INT32", "TYPE_INT16"))
    server = model_server(repository, tmp_path / "triton", models=("encoder",))
    server.start()
    try:
        encoder = vectors_of(server, EncoderProfile.ENGLISH)
        for _ in range(2):
            found = await encoder.encode(["running shoes"], BUDGET_S)
            assert abs(float((found[0] ** 2).sum()) - 1) < 1e-3
        again = vectors_of(server, EncoderProfile.ENGLISH).encode_blocking(["running shoes"])
        assert float(again[0] @ found[0]) > 0.999
    finally:
        server.stop()
