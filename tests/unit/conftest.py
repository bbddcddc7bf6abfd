"""What the unit tests of serving share."""

from pathlib import Path

import pytest

from serving.models.tokenizer import Tokenizer
from tests.support.fakes import write_tokenizer


@pytest.fixture(scope="session")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="session")
def encoder(tokenizer_path: Path) -> Tokenizer:
    return Tokenizer(tokenizer_path)
