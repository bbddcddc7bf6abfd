"""What events are worth, for the commands that read a log or simulate one."""

import argparse
from pathlib import Path

from features.objective import Objective, read_objective


def add_objective(parser: argparse.ArgumentParser) -> None:
    """The option that `objective_of` reads, beside `--state` where a command has that."""
    parser.add_argument("--objective", type=Path, help="YAML; else the state folder's, if any")


def objective_of(given: argparse.Namespace) -> Objective:
    """The file named, or the state folder's own; raises ObjectiveError."""
    state: Path | None = getattr(given, "state", None)
    own = state / "objective.yaml" if state else None
    return read_objective(given.objective or (own if own and own.is_file() else None))
