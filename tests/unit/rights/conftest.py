"""What the tests of rights share: a shop and its ingest."""

from tests.support.live_shop import ingest, shop

__all__ = ["ingest", "shop"]
