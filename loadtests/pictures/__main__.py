"""Prove what pictures promise on real ones: the same picture found again, and others of its kind.

    python -m loadtests.pictures [--queries 300]

Real renderings (emoji.py), decoded and encoded as a worker and Triton do it. Takes two minutes of a
core.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from features.arrays import FloatArray
from loadtests.pictures.emoji import Emoji
from loadtests.pictures.gallery import gallery, published_encoder
from loadtests.pictures.variants import VARIANTS, opened, pixels
from serving.models.runtime.picture_vectors import PictureEncoder
from serving.search.pictures.index import alike_to

_REPORT = Path("build/reports/pictures.json")
_SAME_BAR = 0.95
_NEAREST = 10
_SEED = 1


def same_again(
    encoder: PictureEncoder, found: list[Emoji], vectors: FloatArray, asked: list[int]
) -> dict[str, float]:
    """Of pictures that were changed, the share whose own original is nearest of all."""
    recall: dict[str, float] = {}
    for name, change in VARIANTS.items():
        hits = 0
        for place in asked:
            changed = pixels(change(opened(found[place].path.read_bytes())))
            vector = encoder.encode(changed.reshape(1, -1))[0]
            hits += int(alike_to(vectors, vector).argmax() == place)
        recall[name] = hits / len(asked)
    return recall


def of_one_kind(found: list[Emoji], vectors: FloatArray, asked: list[int]) -> tuple[float, float]:
    """Of others of a picture's kind, the share among its nearest ten, and by chance: what words
    find where all titles are hidden."""
    kinds = np.array([each.kind for each in found])
    recall, chance = [], []
    for place in asked:
        others = np.flatnonzero(kinds == kinds[place])
        others = others[others != place]
        if len(others):
            likes = alike_to(vectors, vectors[place])
            likes[place] = -1
            nearest = np.argsort(-likes)[:_NEAREST]
            possible = min(len(others), _NEAREST)
            recall.append(np.isin(nearest, others).sum() / possible)
            chance.append(_NEAREST * len(others) / (len(found) - 1) / possible)
    return float(np.mean(recall)), float(np.mean(chance))


def main() -> int:
    """The exit status: 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--queries", type=int, default=300)
    n_queries = parser.parse_args().queries
    encoder = published_encoder()
    found, vectors = gallery(encoder)
    rng = np.random.default_rng(_SEED)
    asked = rng.choice(len(found), n_queries, replace=False).tolist()
    again = same_again(encoder, found, vectors, asked)
    kind, chance = of_one_kind(found, vectors, list(range(len(found))))
    print(f"{len(found)} pictures, {len(asked)} asked for")
    for name, recall in again.items():
        verdict = "" if recall >= _SAME_BAR else f"  below {_SAME_BAR}"
        print(f"  {name:<8} recall@1 {recall:.3f}{verdict}")
    print(f"  others of its kind: recall@{_NEAREST} {kind:.3f}, by chance {chance:.3f}")
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    report = {"same": again, "kind": kind, "chance": chance, "pictures": len(found)}
    _REPORT.write_text(json.dumps(report, indent=2))
    return int(min(again.values()) < _SAME_BAR)


if __name__ == "__main__":
    sys.exit(main())
