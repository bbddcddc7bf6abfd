"""Learns which words stand above which looks in a shop, so that a text search finds items by what
their pictures show, also where titles say little.

    python -m serving.training.fit.pictures --state .vitrine/grocery
    python -m serving.training.fit.pictures --state .vitrine/grocery --roll-back

It learns from the items of the catalogue that have a title and a picture that a worker has looked
at. The gate wants titles that were held out to find their pictures surely better than a draw would.
A running stack takes a version over within a second. It is no CLIP: what no title says it cannot
learn.
"""

import argparse
import json
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from features.arrays import BoolArray, FloatArray
from features.full import StoreFullError
from features.pictures.pictures import vectors_of
from features.pictures.store import PictureState
from features.store.backends import open_catalog, open_controls, open_pictures
from features.store.chosen import add_store, store_of
from features.store.settings import StoreSettings
from serving.models.contract import PICTURE_ENCODER, PICTURE_VECTOR_SIZE, EncoderProfile
from serving.models.runtime.sealed import MANIFEST
from serving.shops.pictures.kept import NONE, KeptSpaces, UnknownSpaceError
from serving.training.data.judged_queries import Encoder
from serving.training.fit.pictures.fitting import Pairs, cross_validated, curve_of, fit
from serving.training.fit.pictures.gate import PairsError, check_enough, judged, told
from serving.training.publish.repository import version_in_use


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 the gate is shut or a version is unknown, 2 cannot be read."""
    given = _parser().parse_args(arguments)
    try:
        store = store_of(given)
        with closing(open_controls(store)) as controls:
            kept = KeptSpaces(controls)
            if given.use:
                kept.use(given.use)
            elif given.roll_back:
                kept.roll_back()
            if given.use or given.roll_back:
                print(f"version {kept.in_use()} is in use")
                return 0
            return _learn(given, store, kept)
    except (UnknownSpaceError, StoreFullError) as error:
        print(f"not done: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError, PairsError) as error:
        print(error, file=sys.stderr)
        return 2


def _learn(given: argparse.Namespace, store: StoreSettings, kept: KeptSpaces) -> int:
    version = given.encoder or _encoder_in_use(given.state)
    profile = EncoderProfile(json.loads((version / MANIFEST).read_text())["profile"])
    started_s = time.perf_counter()
    pairs = pairs_of(store, Encoder(version, version / "tokenizer.json"))
    check_enough(pairs)
    held_out = cross_validated(pairs, profile, given.seed)
    judgement = judged(pairs, held_out)
    print(told(judgement))
    if judgement.problem is not None:
        print(f"not published: {judgement.problem}", file=sys.stderr)
        return 1
    space = fit(pairs, profile, curve_of(held_out))
    print(f"learnt in {time.perf_counter() - started_s:.0f} s")
    if given.dry_run:
        return 0
    at = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"at": at, "judgement": judgement.document}
    number = kept.publish({**space.document, "trained": about})
    print(f"published: version {number} is in use")
    return 0


def pairs_of(store: StoreSettings, encoder: Encoder) -> Pairs:
    """The titles and pictures of a shop's catalogue."""
    with (
        closing(open_catalog(store)) as catalog,
        closing(open_pictures(store)) as pictures,
    ):
        found = pictures.get(pictures.ids(PictureState.READY))
        items = [item for item in catalog.changed_since(0).upserts if item.item_id in found]
    items = [item for item in items if item.title.strip()]
    vectors = vectors_of(
        [found[item.item_id] for item in items], PICTURE_ENCODER, PICTURE_VECTOR_SIZE
    )
    return pairs_between([item.title.strip() for item in items], vectors, encoder)


def pairs_between(titles: list[str], vectors: FloatArray, encoder: Encoder) -> Pairs:
    """Titles and vectors (n, PICTURE_VECTOR_SIZE) of the same items; zeros are left out."""
    shown: BoolArray = (vectors != 0).any(axis=1)
    kept = [title for title, has in zip(titles, shown.tolist(), strict=True) if has]
    if not kept:
        raise PairsError("no item has a title and a picture that was looked at")
    number = {title: place for place, title in enumerate(dict.fromkeys(map(str.casefold, kept)))}
    numbers = np.array([number[title.casefold()] for title in kept], np.int64)
    return Pairs(encoder.encode(kept), vectors[shown], numbers)


def _encoder_in_use(state: Path | None) -> Path:
    """Raises PairsError where there is none."""
    number = None if state is None else version_in_use(state / "models", "encoder")
    if state is None or number is None:
        raise PairsError("no encoder is published here: name a version's folder with --encoder")
    return state / "models" / "encoder" / str(number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.training.fit.pictures", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_store(parser)
    parser.add_argument("--encoder", type=Path, help="a published version; default: the state's")
    parser.add_argument("--seed", type=int, default=7)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="publish nothing")
    what.add_argument("--roll-back", action="store_true", help="to the version before")
    what.add_argument("--use", metavar="VERSION", help=f"one that is kept, or {NONE}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
