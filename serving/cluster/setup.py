"""The set-up job of an installation, safe to repeat: `python -m serving.cluster.setup`.

Registers the feature definitions, leaves the files that others wait for, and on the first day of a
demonstration fills the empty store from a data set.
"""

import argparse
import sys
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from features.catalog.table import ItemTable
from features.datasets.format import DatasetError
from features.store.bootstrap import BootstrapError
from features.store.feature_store import apply, open_store
from serving.settings import Settings
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.seeding import read_source, seed, write_item_texts

ITEM_TEXTS = "item_texts.jsonl"
SEEDED = "seeded"


def set_up(
    settings: Settings, shared: Path, data: str | None, n_items: int, console: Console
) -> None:
    """Everything that replicas and the model server wait for; raises DatasetError, BootstrapError.

    shared: the folder that all of them see; the texts to encode beforehand are left there.
    """
    shared.mkdir(parents=True, exist_ok=True)
    seeded, texts = shared / SEEDED, shared / ITEM_TEXTS
    if data and not seeded.exists():
        console.print(f"reading {data}", markup=False)
        dataset, items = read_source(data, Path("/tmp/datasets"), n_items)
        write_item_texts(items, texts)  # the model server publishes while the rest goes on
        pseudonyms = Pseudonyms.from_file(settings.access.pseudonym_key_path)
        neighbors = settings.retrieval.neighbors_path
        seed(dataset, items, settings.store, pseudonyms, neighbors, console)
        seeded.write_text(f"{data}\n")
        console.print(f"filled with {len(items)} items, {len(dataset.events)} events")
    if not texts.exists():
        write_item_texts(ItemTable(), texts)
    # Last: it is what others wait for (vitrine.waitForSetup in the chart).
    apply(open_store(settings.store), settings.store)
    console.print("features are registered")


def main() -> int:
    """The exit status, 2 with one line that says why."""
    parser = argparse.ArgumentParser(prog="python -m serving.cluster.setup", description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="Settings as JSON")
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--data", help="of a demonstration: grocery, simulated or a folder")
    parser.add_argument("--items", type=int, default=10_000)
    given = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    try:
        settings = Settings.model_validate_json(given.settings.read_bytes())
        set_up(settings, given.shared, given.data, given.items, console)
    except (OSError, ValidationError, DatasetError, BootstrapError) as error:
        print(f"not set up: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
