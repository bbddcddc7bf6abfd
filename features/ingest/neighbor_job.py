"""What is found anew in what each shop has collected, a nightly job: which items go together, and
what it shares with its group.

    python -m features.ingest.neighbor_job --store store.json --out /shared/neighbors.npz

Replicas take the new tables over within seconds. With fewer purchases, carts and clicks than
`--min-interactions` the tables stay as they are: a young log knows less than the history that a
shop was filled from. Tables of shops beside the default one are written to `shops/SPACE` beside
`--out`. What a shop shares (docs/shops.md#groups) is written to the installation's controls.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from features.behavior.neighbor_file import write_neighbors
from features.behavior.neighbors import item_interactions, neighbor_tables
from features.behavior.replay import item_table
from features.controls.priors import PRIORS, document_of, group_of
from features.controls.shops import Registered, ShopStatus, registered
from features.controls.store import Controls
from features.datasets.format import Dataset
from features.ingest.export import collected
from features.ingest.priors import category_counts
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
    with closing(open_controls(installation)) as controls:
        for shop, store, out in _stores(installation, controls, given.out):
            dataset = collected(store)
            _find(dataset, out, given.min_interactions)
            if shop is not None and group_of(shop):
                _share(dataset, shop, controls)
    return 0


def _stores(
    installation: StoreSettings, controls: Controls, out: Path
) -> Iterator[tuple[Registered | None, StoreSettings, Path]]:
    """Of each shop, None: the default one, with where its tables go; what was written of shops that
    are gone, or share no more, is deleted.
    """
    yield None, installation, out
    shops = registered(controls).values()
    shared = {shop.space for shop in shops if group_of(shop)}
    for space in controls.all(PRIORS).keys() - shared:
        controls.delete(PRIORS, space)
    there = {shop.space: shop for shop in shops if shop.status is not ShopStatus.REMOVED}
    for folder in (out.parent / SPACES).glob("*"):
        if folder.name not in there:
            (folder / out.name).unlink(missing_ok=True)
    for space, shop in there.items():
        yield shop, shop_store(installation, shop), out.parent / SPACES / space / out.name


def _share(dataset: Dataset, shop: Registered, controls: Controls) -> None:
    now_s = time.time()
    counted = category_counts(dataset.items, dataset.events, now_s)
    controls.put(PRIORS, shop.space, document_of(counted, int(now_s * 1e3)))
    print(f"{shop.name}: {len(counted)} categories are shared")


def _find(dataset: Dataset, out: Path, min_interactions: int) -> None:
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
