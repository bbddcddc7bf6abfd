"""A published repository, which tests of publishing share. Only `repository` may be changed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from serving.models.runtime.ranking import VersionRanker
from serving.training.publish.models import publish_ranker
from tests.support.ranker_batches import ITEMS, slate
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_repository import publish_again


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_bundle(tmp_path_factory.mktemp("bundle") / "bundle")
    np.savez(folder / "held_out.npz", **slate(), LABELS=np.array([1, 0, 0, 0, 0, 0], np.float32))
    return folder


@pytest.fixture(scope="session")
def item_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "items.jsonl"
    path.write_text("".join(json.dumps(text) + "\n" for text in ITEMS))
    return path


@pytest.fixture(scope="session")
def published(bundle: Path, item_texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which version 5 is in use, and four were published before it."""
    repository = tmp_path_factory.mktemp("repository")
    assert publish_ranker(repository, bundle, item_texts=item_texts) == 1
    for _ in range(4):
        publish_again(repository)
    return repository


@pytest.fixture
def repository(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "repository"))


@pytest.fixture(scope="session")
def ranker(published: Path) -> VersionRanker:
    return VersionRanker(published / "ranker" / "5", threads=1, memory=100)
