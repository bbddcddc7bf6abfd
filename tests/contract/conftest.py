"""A model repository for the tests of one module, which may publish into it."""

from pathlib import Path

import pytest

from serving.training.publish.encoders import publish_encoder
from serving.training.publish.models import publish_ranker
from tests.support.tiny_bundle import write_bundle


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two bundles that score differently."""
    folder = tmp_path_factory.mktemp("bundles")
    return [write_bundle(folder / str(seed), seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def repository(bundles: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    publish_encoder(folder)
    publish_ranker(folder, bundles[0])
    return folder
