"""The store that a command reads, named on its command line."""

import argparse
from pathlib import Path

from pydantic import ValidationError

from features.controls.shops import DEFAULT_SHOP
from features.store.settings import StoreSettings, embedded_store
from features.store.shops import store_named


def add_store(parser: argparse.ArgumentParser) -> None:
    """The options that `store_of` reads."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--state", type=Path, help="state folder of a stack on this machine")
    where.add_argument("--store", type=Path, help="StoreSettings as JSON")
    parser.add_argument(
        "--shop", default=DEFAULT_SHOP, help="one of the installation's shops (docs/shops.md)"
    )


def store_of(given: argparse.Namespace) -> StoreSettings:
    """Where the log is; raises ValueError with a message for people, OSError."""
    try:
        if given.store:
            store = StoreSettings.model_validate_json(given.store.read_bytes())
            return store_named(store, given.shop)
        store = embedded_store(given.state)
    except ValidationError as error:
        raise ValueError(f"{given.store or given.state}: {error}") from None
    if not store.log_path.is_file():
        raise ValueError(f"{given.state}: no event log here: is it a state folder?")
    return store_named(store, given.shop)
