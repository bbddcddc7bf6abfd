"""The log that a command of this room reads, named on its command line."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from features.events.event import BehaviorEvent
from features.events.log import EventLog, RankingRecord
from features.objective import Objective, read_objective
from features.store.settings import StoreSettings, embedded_store

_ROWS = 2_000  # entries read at once


def add_store(parser: argparse.ArgumentParser) -> None:
    """The options that `store_of` reads."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--state", type=Path, help="state folder of a stack on this machine")
    where.add_argument("--store", type=Path, help="StoreSettings as JSON")
    parser.add_argument("--objective", type=Path, help="YAML; else the state folder's, if any")


def store_of(given: argparse.Namespace) -> StoreSettings:
    """Where the log is; raises ValueError with one line."""
    if given.store:
        try:
            return StoreSettings.model_validate_json(given.store.read_bytes())
        except ValidationError as error:
            raise ValueError(f"{given.store}: {error}") from None
    store = embedded_store(given.state)
    if not store.log_path.is_file():
        raise ValueError(f"{given.state}: no event log here: is it a state folder?")
    return store


def objective_of(given: argparse.Namespace) -> Objective:
    """What events are worth; raises ObjectiveError."""
    own = given.state / "objective.yaml" if given.state else None
    return read_objective(given.objective or (own if own and own.is_file() else None))


def rankings_of(log: EventLog) -> Iterator[RankingRecord]:
    """All that the log holds, in order."""
    seq = 0
    while entries := log.read_rankings(seq, _ROWS):
        yield from (ranking for _, ranking in entries)
        seq = entries[-1][0]


def events_of(log: EventLog) -> Iterator[BehaviorEvent]:
    """All that the log holds, in order."""
    seq = 0
    while entries := log.read(seq, _ROWS):
        yield from (entry for _, entry in entries if isinstance(entry, BehaviorEvent))
        seq = entries[-1][0]
