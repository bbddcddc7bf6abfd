"""Find anew which items go together, in what each shop has collected: a nightly job.

    python -m features.ingest.neighbor_job --store store.json --out /shared/neighbors.npz

Replicas take the new tables over within seconds. With fewer purchases, carts and clicks than
`--min-interactions` the tables stay as they are: a young log knows less than the history that a
shop was filled from. Tables of shops beside the default one are written to `shops/SPACE` beside
`--out`.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from features.behavior.neighbor_file import write_neighbors
from features.behavior.neighbors import item_interactions, neighbor_tables
from features.behavior.replay import item_table
from features.controls.shops import ShopStatus, registered
from features.ingest.export import collected
from features.store.backends import open_controls
from features.store.settings import SPACES, StoreSettings
from features.store.shops import shop_store

MIN_INTERACTIONS = 10_000


def main() -> int:
    """The exit status; 0 also when the log is too young."""
    parser = argparse.ArgumentParser(
        prog="python -m features.ingest.neighbor_job", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--store", type=Path, required=True, help="StoreSettings as JSON")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--min-interactions", type=int, default=MIN_INTERACTIONS)
    given = parser.parse_args()
    try:
        installation = StoreSettings.model_validate_json(given.store.read_bytes())
    except (OSError, ValidationError) as error:
        print(f"{given.store}: {error}", file=sys.stderr)
        return 2
    for store, out in _stores(installation, given.out):
        _find(store, out, given.min_interactions)
    return 0


def _stores(installation: StoreSettings, out: Path) -> Iterator[tuple[StoreSettings, Path]]:
    """Of each shop, with where its tables go; those of shops that are gone are deleted."""
    yield installation, out
    with closing(open_controls(installation)) as controls:
        shops = registered(controls).values()
    there = {shop.space: shop for shop in shops if shop.status is not ShopStatus.REMOVED}
    for folder in (out.parent / SPACES).glob("*"):
        if folder.name not in there:
            (folder / out.name).unlink(missing_ok=True)
    for space, shop in there.items():
        yield shop_store(installation, shop), out.parent / SPACES / space / out.name


def _find(store: StoreSettings, out: Path, min_interactions: int) -> None:
    dataset = collected(store)
    items = item_table(dataset)
    interactions = item_interactions(dataset.events, items)
    if len(interactions.row) < min_interactions:
        counted = f"{len(interactions.row)} interactions, {min_interactions} are wanted"
        print(f"{out}: {counted}: nothing was changed")
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    write_neighbors(out, items.item_ids, neighbor_tables(interactions, len(items)))
    print(f"{out}: {len(items)} items, from {len(interactions.row)} interactions")


if __name__ == "__main__":
    sys.exit(main())
