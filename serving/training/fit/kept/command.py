"""Learns a version, publishes it when its gate opens, and returns to another one that is kept."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.controls.store import Documents
from features.controls.versions import KeptVersions, UnknownVersionError
from features.full import StoreFullError
from features.store.backends import open_controls
from features.store.chosen import add_store, store_of
from features.store.settings import StoreSettings
from serving.models.contract import EncoderProfile
from serving.models.runtime.sealed import MANIFEST
from serving.training.fit.kept.material import MaterialError
from serving.training.publish.repository import version_in_use


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was measured on what was held out, and how to make the version.

    told: for people; problem: why the gate is shut, None where it is open; judgement: as JSON has
    it; fit: on all there is, the version's document
    """

    told: str
    problem: str | None
    judgement: Mapping[str, Any]
    fit: Callable[[], Mapping[str, Any]]


def add_options(parser: argparse.ArgumentParser, none: str) -> None:
    """The options that `run` and `encoder_chosen` read. none: what stands for no version."""
    add_store(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--encoder", type=Path, help="a published version; default: the state's")
    which.add_argument("--repository", type=Path, help="whose encoder in use, of Triton's models")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="publish nothing")
    what.add_argument("--roll-back", action="store_true", help="to the version before")
    what.add_argument("--use", metavar="VERSION", help=f"one that is kept, or {none}")
    what.add_argument("--versions", action="store_true", help="list what is kept")


def run(
    given: argparse.Namespace,
    kept_in: Callable[[Documents], KeptVersions],
    learn: Callable[[StoreSettings, Documents], Learnt],
) -> int:
    """The exit status: 0 done, 1 the gate is shut or a version is unknown, 2 cannot be read.

    learn: raises MaterialError, OSError, ValueError
    """
    try:
        store = store_of(given)
        with closing(open_controls(store)) as controls:
            kept = kept_in(controls)
            if given.versions:
                _list(kept)
            elif given.use or given.roll_back:
                kept.use(given.use) if given.use else kept.roll_back()
                print(f"version {kept.in_use()} is in use")
            else:
                return _publish(given, kept, lambda: learn(store, controls))
    except (UnknownVersionError, StoreFullError) as error:
        print(f"not done: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError, MaterialError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def encoder_chosen(given: argparse.Namespace) -> tuple[Path, EncoderProfile]:
    """The folder of the encoder's version that is named or in use, and its profile.

    Raises MaterialError where there is none, OSError, ValueError.
    """
    version = given.encoder or _in_use(given.repository or (given.state and given.state / "models"))
    return version, EncoderProfile(json.loads((version / MANIFEST).read_text())["profile"])


def _publish(given: argparse.Namespace, kept: KeptVersions, learn: Callable[[], Learnt]) -> int:
    started_s = time.perf_counter()
    learnt = learn()
    print(learnt.told)
    if learnt.problem is not None:
        print(f"not published: {learnt.problem}", file=sys.stderr)
        return 1
    document = learnt.fit()
    print(f"learnt in {time.perf_counter() - started_s:.0f} s")
    if given.dry_run:
        return 0
    at = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"at": at, "judgement": learnt.judgement}
    print(f"published: version {kept.publish({**document, 'trained': about})} is in use")
    return 0


def _list(kept: KeptVersions) -> None:
    in_use = kept.in_use()
    for version, document in kept.all().items():
        trained = document.get("trained", {})
        print(f"{version}{' (in use)' if version == in_use else ''}  {trained.get('at', '')}")


def _in_use(repository: Path | None) -> Path:
    number = None if repository is None else version_in_use(repository, "encoder")
    if repository is None or number is None:
        raise MaterialError("no encoder is published here: name a version's folder with --encoder")
    return repository / "encoder" / str(number)
