"""What a model of answers is worth on questions that it was not trained on.

Cross-validated by group. Beside it stand BM25, the encoder's cosine (zero-shot), the untrained
model, and the trained one while the encoder is away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from features.arrays import BoolArray, DoubleArray, LongArray
from serving.search.answers.collection import best_of_each
from serving.search.answers.model import INPUTS, AnswerModel
from serving.training.fit.answers.candidates import Candidates, Seen
from serving.training.fit.answers.fitting import folds, outcomes, train
from serving.training.quality import interval

TRAINED, UNTRAINED, ZERO_SHOT, BM25 = "trained", "untrained", "cosine, zero-shot", "BM25"
BY_WORDS = "trained, without encoder"
SHARES = (0.0, 0.1, 0.2, 0.3)  # of questions that nothing answers
ANSWERED = 0.7  # share of the questions that are answered, at which precision is told
_FOLDS = 5
_DRAWS = 1000
_COSINE = AnswerModel(
    ZERO_SHOT,
    with_vector=np.array([1, 0, 0, 0], np.float32),
    words_only=np.array([0, 1, 0, 0], np.float32),
    calibration=np.array([[1, 0, 0]] * 2, np.float32),
    least=0.0,
)
Figures = tuple[float, float, float]  # mean, and its 95 % interval


@dataclass(slots=True)
class Held:
    """Questions that have an answer, as rankers saw them that had not learnt from them.

    rank: of the first right answer by ranker, from 1, infinite when it was not found, (n,); group:
    (n,); judged: each with the model that had not seen it
    """

    group: list[int] = field(default_factory=list)
    rank: dict[str, list[float]] = field(default_factory=dict)
    judged: list[tuple[Seen, AnswerModel]] = field(default_factory=list)
    least: list[float] = field(default_factory=list)

    def add(self, one: Seen, model: AnswerModel, untrained: AnswerModel) -> None:
        """A question of a fold that `model` was not trained on."""
        self.group.append(one.case.group)
        self.judged.append((one, model))
        inputs = one.both.inputs
        for name, candidates, scores in (
            (TRAINED, one.both, model.scores(inputs, True)),
            (BY_WORDS, one.by_words, model.scores(one.by_words.inputs, False)),
            (UNTRAINED, one.both, untrained.scores(inputs, True)),
            (ZERO_SHOT, one.both, inputs[:, INPUTS.index("cosine")]),
            (BM25, one.by_words, one.by_words.inputs[:, INPUTS.index("words")]),
        ):
            rank = _rank(candidates, scores.astype(np.float64))
            self.rank.setdefault(name, []).append(rank)


def cross_validated(seen: Sequence[Seen], profile: str, seed: int = 0) -> Held:
    """Every answerable question, judged by a model of the other folds."""
    held = Held()
    of = folds(np.array([one.case.group for one in seen]), _FOLDS, seed)
    untrained = AnswerModel.untrained(profile)
    for number in range(_FOLDS):
        model = train([one for one, fold in zip(seen, of, strict=True) if fold != number])
        held.least.append(model.least)
        for one, fold in zip(seen, of, strict=True):
            if fold == number and one.case.right:
                held.add(one, model, untrained)
    return held


def recall(held: Held, ranker: str, depth: int) -> DoubleArray:
    """Of each group, the share of its questions with a right answer among the first `depth`."""
    return _by_group(held, [rank <= depth for rank in held.rank[ranker]])


def gain(held: Held, over: str, depth: int = 1) -> Figures:
    """How much more of the questions the trained model answers than `over`."""
    return interval(recall(held, TRAINED, depth) - recall(held, over, depth))


def precision_at(
    held: Held, unanswerable: float, answered: float = ANSWERED, draws: int = _DRAWS
) -> Figures:
    """Of the surest `answered` of all questions, the share whose first answer is right; with an
    interval over groups."""
    return _interval(_precisions(held, unanswerable, answered, draws, None))


def precision_gain(held: Held, unanswerable: float, answered: float = ANSWERED) -> Figures:
    """How much higher that share is than with the surest by the cosine alone, paired."""
    ours = _precisions(held, unanswerable, answered, _DRAWS, None)
    return _interval(ours - _precisions(held, unanswerable, answered, _DRAWS, _COSINE))


def first_answers(
    held: Held, unanswerable: float, by: AnswerModel | None = None
) -> tuple[DoubleArray, BoolArray, DoubleArray, LongArray]:
    """Confidence, rightness, weight and group of the first answer to every question, (2 n,).

    by: a model for all of them; None: of each the one that had not seen it
    """
    parts = [outcomes([one.both], by or model, unanswerable) for one, model in held.judged]
    sure, right, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    return sure, right, weight, np.repeat(np.array(held.group, np.int64), 2)


def _precisions(
    held: Held, unanswerable: float, answered: float, draws: int, by: AnswerModel | None
) -> DoubleArray:
    """Of all groups, and then of groups drawn again, always the same ones."""
    sure, right, weight, group = first_answers(held, unanswerable, by)
    rng = np.random.default_rng(0)
    distinct, of = np.unique(group, return_inverse=True)
    chances = np.full(len(distinct), 1 / len(distinct))
    times = [np.ones(len(distinct)), *rng.multinomial(len(distinct), chances, draws)]
    return np.array([_precision(sure, right, weight * drawn[of], answered) for drawn in times])


def _interval(values: DoubleArray) -> Figures:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return float(values[0]), float(low), float(high)


def handed_over(held: Held, unanswerable: float) -> tuple[float, float]:
    """With each model's own least confidence: the share that is answered, and its precision."""
    answered = correct = whole = 0.0
    for one, model in held.judged:
        sure, right, weight = outcomes([one.both], model, unanswerable)
        given = sure >= model.least
        answered += float(weight @ given)
        correct += float(weight @ (given & right))
        whole += float(weight.sum())
    return answered / whole, correct / max(answered, 1e-9)


def calibration_error(held: Held, unanswerable: float, bins: int = 10) -> float:
    """Expected calibration error over bins of as many questions each."""
    sure, right, weight, _ = first_answers(held, unanswerable)
    order = np.argsort(sure, kind="stable")
    ends = np.searchsorted(np.cumsum(weight[order]), np.linspace(0, weight.sum(), bins + 1)[1:-1])
    error = 0.0
    for part in np.split(order, ends):
        if len(part):
            error += abs(float(weight[part] @ (sure[part] - right[part])))
    return error / float(weight.sum())


def _precision(sure: DoubleArray, right: BoolArray, weight: DoubleArray, answered: float) -> float:
    order = np.argsort(-sure, kind="stable")
    so_far = np.cumsum(weight[order])
    # Of the one at the border, the part that still belongs to the share.
    taken = np.clip(answered * weight.sum() - (so_far - weight[order]), 0.0, weight[order])
    return float(taken @ right[order] / taken.sum())


def _rank(one: Candidates, scores: DoubleArray) -> float:
    first = best_of_each(one.owners, scores)
    order = first[np.argsort(-scores[first], kind="stable")]
    hits = np.flatnonzero(one.right[order])
    return float(hits[0] + 1) if len(hits) else np.inf


def _by_group(held: Held, values: Sequence[bool]) -> DoubleArray:
    distinct, of = np.unique(held.group, return_inverse=True)
    total = np.bincount(of, np.array(values, float), len(distinct))
    return np.asarray(total / np.bincount(of, minlength=len(distinct)), np.float64)
