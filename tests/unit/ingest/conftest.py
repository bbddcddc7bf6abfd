"""What the tests of ingest share."""

from tests.support.live_shop import ingest, shop

__all__ = ["ingest", "shop"]
