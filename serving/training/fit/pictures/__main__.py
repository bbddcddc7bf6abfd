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
import sys
from contextlib import closing

import numpy as np

from features.arrays import BoolArray, FloatArray
from features.pictures.pictures import vectors_of
from features.pictures.store import PictureState
from features.store.backends import open_catalog, open_pictures
from features.store.settings import StoreSettings
from serving.models.contract import PICTURE_ENCODER, PICTURE_VECTOR_SIZE
from serving.shops.pictures.kept import NONE, kept_spaces
from serving.training.data.judged_queries import Encoder
from serving.training.fit.kept.command import Learnt, add_options, encoder_chosen, run
from serving.training.fit.kept.material import MaterialError
from serving.training.fit.pictures.fitting import Pairs, cross_validated, curve_of, fit
from serving.training.fit.pictures.gate import check_enough, judged, told


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 the gate is shut or a version is unknown, 2 cannot be read."""
    given = _parser().parse_args(arguments)
    return run(given, kept_spaces, lambda store, _: _learn(given, store))


def _learn(given: argparse.Namespace, store: StoreSettings) -> Learnt:
    version, profile = encoder_chosen(given)
    pairs = pairs_of(store, Encoder(version, version / "tokenizer.json"))
    check_enough(pairs)
    held_out = cross_validated(pairs, profile, given.seed)
    judgement = judged(pairs, held_out)
    return Learnt(
        told(judgement),
        judgement.problem,
        judgement.document,
        lambda: fit(pairs, profile, curve_of(held_out)).document,
    )


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
        raise MaterialError("no item has a title and a picture that was looked at")
    number = {title: place for place, title in enumerate(dict.fromkeys(map(str.casefold, kept)))}
    numbers = np.array([number[title.casefold()] for title in kept], np.int64)
    return Pairs(encoder.encode(kept), vectors[shown], numbers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.training.fit.pictures", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_options(parser, NONE)
    parser.add_argument("--seed", type=int, default=7)
    return parser


if __name__ == "__main__":
    sys.exit(main())
