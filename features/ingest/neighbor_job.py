"""Find anew which items go together, in what the shop has collected: a nightly job.

    python -m features.ingest.neighbor_job --store store.json --out /shared/neighbors.npz

Replicas take the new tables over within seconds. With fewer purchases, carts and clicks than
`--min-interactions` the tables stay as they are: a young log knows less than the history that a
shop was filled from.
"""

import argparse
import sys
from pathlib import Path

from pydantic import ValidationError

from features.behavior.neighbor_file import write_neighbors
from features.behavior.neighbors import item_interactions, neighbor_tables
from features.behavior.replay import item_table
from features.ingest.export import collected
from features.store.settings import StoreSettings

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
        dataset = collected(StoreSettings.model_validate_json(given.store.read_bytes()))
    except (OSError, ValidationError) as error:
        print(f"{given.store}: {error}", file=sys.stderr)
        return 2
    items = item_table(dataset)
    interactions = item_interactions(dataset.events, items)
    if len(interactions.row) < given.min_interactions:
        counted = f"{len(interactions.row)} interactions, {given.min_interactions} are wanted"
        print(f"{counted}: nothing was changed")
        return 0
    write_neighbors(given.out, items.item_ids, neighbor_tables(interactions, len(items)))
    print(f"{given.out}: {len(items)} items, from {len(interactions.row)} interactions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
