"""Whether a trained model may answer: only one that is surely better than no training."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from serving.training.fit.answers.cases import Cases
from serving.training.fit.answers.evaluation import (
    ANSWERED,
    BM25,
    BY_WORDS,
    TRAINED,
    UNTRAINED,
    ZERO_SHOT,
    Figures,
    Held,
    calibration_error,
    gain,
    handed_over,
    precision_at,
    precision_gain,
    recall,
)
from serving.training.fit.answers.fitting import UNANSWERABLE
from serving.training.fit.kept.material import MaterialError
from serving.training.quality import interval

LEAST_GROUPS = 40  # questions with a right answer: of fewer, an interval says nothing


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model is worth where it was not trained; figures are a mean and its 95 % interval.

    recall_1, recall_5: by ranker; gains: of recall@1 over the others; precision: of the answers
    given, with `answered` of all questions answered; precision_gain: over the cosine's; own: the
    share answered with the model's own least confidence, and their precision
    """

    questions: int
    recall_1: dict[str, Figures]
    recall_5: dict[str, Figures]
    gains: dict[str, Figures]
    unanswerable: float
    answered: float
    precision: Figures
    precision_gain: Figures
    own: tuple[float, float]
    calibration_error: float

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @property
    def problem(self) -> str | None:
        """Why it may not answer; None: it may."""
        recall, precision = self.gains[ZERO_SHOT], self.precision_gain
        if max(recall[1], precision[1]) > 0 and min(recall[2], precision[2]) >= 0:
            return None
        return (
            "neither recall@1 nor the precision of what is answered is surely better than by the "
            f"encoder's cosine: {_figures(recall, '+.3f')} and {_figures(precision, '+.3f')}"
        )


def check_enough(cases: Cases) -> None:
    """Raises MaterialError when there is too little to judge a model by."""
    groups = {case.group for case in cases.answerable}
    if len(groups) < LEAST_GROUPS:
        raise MaterialError(
            f"{len(groups)} questions have a right answer: {LEAST_GROUPS} are needed"
        )


def judged(held: Held) -> Judgement:
    """What was held out, summed up."""
    rankers = (TRAINED, BY_WORDS, UNTRAINED, ZERO_SHOT, BM25)
    return Judgement(
        questions=len(np.unique(held.group)),
        recall_1={name: interval(recall(held, name, 1)) for name in rankers},
        recall_5={name: interval(recall(held, name, 5)) for name in rankers},
        gains={name: gain(held, name) for name in rankers[1:]},
        unanswerable=UNANSWERABLE,
        answered=ANSWERED,
        precision=precision_at(held, UNANSWERABLE),
        precision_gain=precision_gain(held, UNANSWERABLE),
        own=handed_over(held, UNANSWERABLE),
        calibration_error=calibration_error(held, UNANSWERABLE),
    )


def told(judgement: Judgement) -> str:
    """As a table of text."""
    lines = [f"{judgement.questions} questions, cross-validated; 95 % intervals", ""]
    lines.append(f"{'ranker':<26}{'recall@1':>24}{'recall@5':>24}{'trained - this, @1':>26}")
    for name, found in judgement.recall_1.items():
        difference = judgement.gains.get(name)
        lines.append(
            f"{name:<26}{_figures(found):>24}{_figures(judgement.recall_5[name]):>24}"
            f"{_figures(difference, '+.3f') if difference else '':>26}"
        )
    share, precision = judgement.own
    lines += [
        "",
        f"{judgement.unanswerable:.0%} of questions without an answer: "
        f"with {judgement.answered:.0%} answered, precision {_figures(judgement.precision)}, "
        f"above the cosine's by {_figures(judgement.precision_gain, '+.3f')}",
        f"as published: {share:.1%} answered, precision {precision:.3f}; "
        f"calibration error {judgement.calibration_error:.3f}",
    ]
    return "\n".join(lines)


def _figures(found: Figures, form: str = ".3f") -> str:
    mean, low, high = (format(value, form) for value in found)
    return f"{mean} [{low}, {high}]"
