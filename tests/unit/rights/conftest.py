"""What the tests of rights share: a shop and its ingest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.ingest.__main__ import open_ingest
from features.ingest.loop import Ingest
from tests.support.live_shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


@pytest.fixture
def ingest(shop: Shop) -> Iterator[Ingest]:
    with open_ingest(shop.settings) as ingest:
        yield ingest
