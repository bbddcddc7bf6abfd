"""What a household's state gives away: how well its demographic groups are predicted from it.

Linear discriminant analysis, its covariances shrunk by Ledoit and Wolf's estimate, on principal
components, in cross-validation; against the majority class, and against the same on labels that
were dealt out anew. A lower bound: more households or another model may find more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.progress import Progress
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from loadtests.fairness.measures import Array, Interval

Labels = npt.NDArray[np.int64]
FOLDS, COMPONENTS, N_PERMUTED, N_BOOTSTRAP = 5, 40, 39, 300
_SEED = 29


@dataclass(frozen=True, slots=True)
class Probed:
    """One kind of groups from one kind of inputs.

    majority: share of the largest group, which guessing it gets right; accuracy, auc: of
    predictions for households that were not learnt from, auc as the mean over groups of each
    against all others, .5 = by chance; by_chance: the middle 95 % of it with labels dealt out anew;
    chance: the share of those that were as good
    """

    kind: str
    inputs: str
    households: int
    groups: int
    majority: float
    accuracy: Interval
    auc: Interval
    by_chance: tuple[float, float]
    chance: float

    @property
    def gives_away(self) -> bool:
        """Whether it is predicted better than dealt-out labels are."""
        return self.auc.value > self.by_chance[1]


def probed(
    kind: str,
    labels: Labels,
    inputs: Mapping[str, Array],
    progress: Progress | None = None,
    permuted: int = N_PERMUTED,
) -> list[Probed]:
    """labels: (n,) of households, -1 = of no group, which are left out; inputs: (n, d) each."""
    known = labels >= 0
    _, own = np.unique(labels[known], return_inverse=True)
    own = own.astype(np.int64)
    counts = np.bincount(own)
    task = (
        progress.add_task(f"probe {kind}", total=len(inputs) * (1 + permuted)) if progress else None
    )
    found = []
    for name, values in inputs.items():
        folds = _Folds(values[known])
        rng = np.random.default_rng(_SEED)
        chances = folds.probabilities(own)
        dealt = []
        for _ in range(permuted):
            anew = rng.permutation(own)
            dealt.append(auc(folds.probabilities(anew), anew, folds.fold))
            if progress is not None and task is not None:
                progress.advance(task)
        if progress is not None and task is not None:
            progress.advance(task)
        value = auc(chances, own, folds.fold)
        right = chances.argmax(axis=1) == own
        resampled = [
            (float(right[drawn].mean()), auc(chances[drawn], own[drawn], folds.fold[drawn]))
            for drawn in _draws(len(own))
        ]
        accuracy, area = zip(*resampled, strict=True)
        low, high = np.quantile(dealt, [0.025, 0.975])
        found.append(
            Probed(
                kind, name, len(own), len(counts), float(counts.max() / len(own)),
                _interval(float(right.mean()), accuracy), _interval(value, area),
                (float(low), float(high)),
                (1 + sum(each >= value for each in dealt)) / (1 + permuted),
            )
        )  # fmt: skip
    return found


class _Folds:
    """Households in folds that know no labels, each reduced by what the others are like."""

    def __init__(self, values: Array) -> None:
        self._parts: list[tuple[Labels, Labels, Array, Array]] = []
        self.fold = np.zeros(len(values), np.int64)
        for rest, out in KFold(FOLDS, shuffle=True, random_state=_SEED).split(values):
            self.fold[out] = len(self._parts)
            n = min(COMPONENTS, values.shape[1], len(rest))
            reduce = make_pipeline(
                StandardScaler(), PCA(n, random_state=_SEED), StandardScaler()
            ).fit(values[rest])
            kept = reduce.transform(values[rest]), reduce.transform(values[out])
            self._parts.append((rest, out, *kept))

    def probabilities(self, labels: Labels) -> Array:
        """Of each group for each household, learnt from the other folds, (n, groups)."""
        out = np.zeros((len(labels), int(labels.max()) + 1))
        for rest, left, values, others in self._parts:
            model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
            model.fit(values, labels[rest])
            out[np.ix_(left, model.classes_)] = model.predict_proba(others)
        return out


def auc(chances: Array, labels: Labels, fold: Labels) -> float:
    """Mean over groups of the area under the curve of each against all others, .5 = by chance.

    Within each fold, and the mean of these: a fold with many of a group leaves few to learn from,
    so that over all folds together chance would come out below a half. Where a fold has nobody of
    a group, as a resample may leave it, it is left out.
    """
    found = []
    for group in range(chances.shape[1]):
        areas = []
        for part in np.unique(fold):
            inside = fold == part
            own = labels[inside] == group
            n = int(own.sum())
            if 0 < n < len(own):
                ranks = rankdata(chances[inside, group])
                above = float(ranks[own].sum()) - n * (n + 1) / 2
                areas.append(above / (n * (len(own) - n)))
        if areas:
            found.append(np.mean(areas))
    return float(np.mean(found))


def _draws(n: int) -> list[npt.NDArray[np.int64]]:
    rng = np.random.default_rng(_SEED + 1)
    return [rng.integers(0, n, n) for _ in range(N_BOOTSTRAP)]


def _interval(value: float, resampled: Sequence[float]) -> Interval:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(value, float(low), float(high))
