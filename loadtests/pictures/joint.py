"""Prove the joint space: names find renderings of things whose titles are hidden.

    python -m loadtests.pictures.joint

Of the kinds of things a third have their titles hidden. The space is learnt on the others, and each
hidden kind is asked for by its name, among all renderings. Words alone find none of them.
"""

import json
import sys
from pathlib import Path

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray
from loadtests.pictures.gallery import gallery
from serving.models.contract import EncoderProfile
from serving.search.pictures.joint import JointSpace
from serving.training.fit.network import TextTower
from serving.training.fit.pictures.fitting import NEAREST, Pairs, fit
from serving.training.publish.base_model import base_folder
from serving.training.quality import interval

_REPORT = Path("build/reports/pictures_joint.json")
_HIDDEN = 1 / 3
_SEED = 5


def renderings() -> tuple[list[str], Pairs]:
    """The names of all kinds, and all renderings as items of these titles."""
    found, vectors = gallery()
    kinds = sorted({each.kind for each in found})
    number = {kind: place for place, kind in enumerate(kinds)}
    texts = TextTower(base_folder()).encode(kinds)
    titles = np.array([number[each.kind] for each in found], np.int64)
    return kinds, Pairs(texts[titles], vectors, titles)


def hidden_titles(pairs: Pairs) -> BoolArray:
    """Which items have no title that is known, (n,): all of a kind, or none."""
    n_titles = int(pairs.titles.max()) + 1
    hidden = np.random.default_rng(_SEED).permutation(n_titles) < _HIDDEN * n_titles
    return hidden[pairs.titles]


def found_by_pictures(space: JointSpace, pairs: Pairs, hidden: BoolArray) -> DoubleArray:
    """Of each hidden title, the share of its pictures among the NEAREST best of all."""
    return _found(space.of_texts(pairs.texts) @ space.of_pictures(pairs.pictures).T, pairs, hidden)


def found_by_words(pairs: Pairs, hidden: BoolArray) -> DoubleArray:
    """The same by the cosine of the name with the titles that are known: a hidden one has none."""
    likes = pairs.texts @ pairs.texts.T
    likes[:, hidden] = -1.0
    return _found(likes, pairs, hidden)


def _found(likes: FloatArray, pairs: Pairs, hidden: BoolArray) -> DoubleArray:
    titles, first = np.unique(pairs.titles[hidden], return_index=True)
    asked = np.flatnonzero(hidden)[first]
    counts = np.bincount(pairs.titles)[titles]
    best = np.argsort(-likes[asked], axis=1, kind="stable")[:, :NEAREST]
    hits: DoubleArray = (pairs.titles[best] == titles[:, None]).sum(axis=1) / np.minimum(
        counts, NEAREST
    )
    return hits


def main() -> int:
    """The exit status: 1 where pictures do not surely find more than words."""
    kinds, pairs = renderings()
    hidden = hidden_titles(pairs)
    renumbered = np.unique(pairs.titles[~hidden], return_inverse=True)[1]
    known = Pairs(pairs.texts[~hidden], pairs.pictures[~hidden], renumbered)
    space = fit(known, EncoderProfile.ENGLISH)
    figures = {
        "pictures": interval(found_by_pictures(space, pairs, hidden)),
        "words": interval(found_by_words(pairs, hidden)),
    }
    n_asked = len(np.unique(pairs.titles[hidden]))
    print(f"{n_asked} of {len(kinds)} names asked for, among {len(hidden)} renderings")
    for name, (mean, low, high) in figures.items():
        print(f"  {name:<9} recall@{NEAREST} {mean:.3f} [{low:.3f}, {high:.3f}]")
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps(figures, indent=2))
    return int(figures["pictures"][1] <= figures["words"][2])


if __name__ == "__main__":
    sys.exit(main())
