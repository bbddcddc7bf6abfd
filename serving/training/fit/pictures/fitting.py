"""Two projections that bring a title and its picture together, and how far one may trust them.

The projections are those of canonical correlation (Hotelling 1936) with both covariances shrunk
towards a sphere: a few thousand pairs say little of each direction alone. A direction counts by its
correlation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.arrays import BoolArray, DoubleArray, FloatArray, LongArray
from serving.search.pictures.joint import JointSpace

NEAREST = 10  # pictures that a title is to find its own among
_SIZE = 64
_SHRUNK = (0.1, 0.1)  # of titles and of pictures: the share of the sphere in a covariance
_FOLDS = 5
_STEPS = 50  # of Newton's method for the curve


@dataclass(frozen=True, slots=True)
class Pairs:
    """Items with a title and a picture, as vectors. texts (n, VECTOR_SIZE); pictures
    (n, PICTURE_VECTOR_SIZE); titles (n,): a number a title, the same for items that share it."""

    texts: FloatArray
    pictures: FloatArray
    titles: LongArray

    def part(self, chosen: BoolArray) -> "Pairs":
        """Only the chosen ones, (n,)."""
        return Pairs(self.texts[chosen], self.pictures[chosen], self.titles[chosen])


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How titles that were not learnt find pictures among those of all items, one row a title.

    found, chance (titles,): the share of its pictures among the NEAREST best, and the same of a
    draw, which is what words find where titles are hidden; cosines, right (any,): of titles with
    pictures
    """

    found: DoubleArray
    chance: DoubleArray
    cosines: FloatArray
    right: BoolArray


def fit(pairs: Pairs, profile: str, curve: tuple[float, float] = (0.0, 0.0)) -> JointSpace:
    """The space of these pairs. A title that many items share counts as much as another."""
    share = 1.0 / np.bincount(pairs.titles)[pairs.titles]
    share /= share.sum()
    text_middle, picture_middle = share @ pairs.texts, share @ pairs.pictures
    texts, pictures = pairs.texts - text_middle, pairs.pictures - picture_middle
    weighted = pictures * share[:, None]
    to_text = _whitening(texts.T @ (texts * share[:, None]), _SHRUNK[0])
    to_picture = _whitening(pictures.T @ weighted, _SHRUNK[1])
    cross = to_text @ (texts.T @ weighted) @ to_picture
    left, correlations, right = np.linalg.svd(cross, full_matrices=False)
    size = min(_SIZE, len(correlations))
    weights = np.sqrt(correlations[:size])
    return JointSpace(
        (to_text @ left[:, :size] * weights).astype(np.float32),
        text_middle.astype(np.float32),
        (to_picture @ right[:size].T * weights).astype(np.float32),
        picture_middle.astype(np.float32),
        curve,
        profile,
    )


def cross_validated(pairs: Pairs, profile: str, seed: int) -> HeldOut:
    """Each title is asked for by a space that was learnt without it, among all pictures."""
    n_titles = int(pairs.titles.max()) + 1
    fold_of = np.random.default_rng(seed).permutation(n_titles) % _FOLDS
    counts = np.bincount(pairs.titles)
    found, cosines, right = np.zeros(n_titles), [], []
    for fold in range(_FOLDS):
        space = fit(_numbered(pairs.part(fold_of[pairs.titles] != fold)), profile)
        asked = np.flatnonzero(fold_of == fold)
        first = np.array([int(np.argmax(pairs.titles == title)) for title in asked])
        likes = space.of_texts(pairs.texts[first]) @ space.of_pictures(pairs.pictures).T
        best = np.argsort(-likes, axis=1)[:, :NEAREST]
        hits = (pairs.titles[best] == asked[:, None]).sum(axis=1)
        found[asked] = hits / np.minimum(counts[asked], NEAREST)
        cosines.append(likes.ravel())
        right.append((pairs.titles[None, :] == asked[:, None]).ravel())
    n_pictures = len(pairs.pictures)
    chance = NEAREST / n_pictures * counts / np.minimum(counts, NEAREST)
    return HeldOut(found, chance, np.concatenate(cosines), np.concatenate(right))


def curve_of(held_out: HeldOut) -> tuple[float, float]:
    """Slope and bias of the logistic curve that best says which cosines are right."""
    cosines = held_out.cosines.astype(np.float64)
    right = held_out.right.astype(np.float64)
    middle, spread = cosines.mean(), cosines.std() + 1e-9
    inputs = np.column_stack([(cosines - middle) / spread, np.ones(len(cosines))])
    doubt = np.diag([1.0, 0.0])  # or the slope has no end where all is told apart
    weights = np.array([0.0, np.log(right.mean() / (1 - right.mean()))])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (chance - right) + doubt @ weights
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + doubt
        step = np.linalg.solve(curvature, gradient)
        weights -= step / max(1.0, float(np.abs(step).max()))  # far from the end it would overshoot
        if np.abs(step).max() < 1e-6:
            break
    slope = float(weights[0] / spread)
    return slope, float(weights[1] - slope * middle)


def _whitening(covariance: npt.NDArray[np.floating[Any]], shrunk: float) -> DoubleArray:
    """The inverse root of a covariance, part of which is replaced by a sphere as large."""
    size = len(covariance)
    sphere = np.trace(covariance) / size * np.eye(size)
    values, vectors = np.linalg.eigh((1 - shrunk) * covariance + shrunk * sphere)
    found: DoubleArray = (vectors / np.sqrt(np.maximum(values, 1e-12))) @ vectors.T
    return found


def _numbered(pairs: Pairs) -> Pairs:
    """The same with titles numbered from 0."""
    return Pairs(pairs.texts, pairs.pictures, np.unique(pairs.titles, return_inverse=True)[1])
