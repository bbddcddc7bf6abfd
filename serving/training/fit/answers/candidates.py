"""What a judge sees of each question: the pieces that may answer it, with the model's inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, RowArray
from serving.search.answers.collection import Collection, Judge, best_of_each
from serving.search.answers.model import AnswerModel
from serving.training.fit.answers.cases import Case


@dataclass(frozen=True, slots=True)
class Candidates:
    """Of one question. owners: (n,), numbers of answers; inputs: (n, len(INPUTS)); right: (n,)."""

    case: Case
    owners: RowArray
    inputs: FloatArray
    right: BoolArray

    def without_right(self) -> "Candidates":
        """As if the collection had no answer to it."""
        kept = ~self.right
        return Candidates(self.case, self.owners[kept], self.inputs[kept], self.right[kept])

    def answers(self, model: AnswerModel, has_vector: bool = True) -> tuple[DoubleArray, BoolArray]:
        """Score and rightness of each answer that is found, best first."""
        scores = model.scores(self.inputs, has_vector).astype(np.float64)
        first = best_of_each(self.owners, scores)
        order = first[np.argsort(-scores[first], kind="stable")]
        return scores[order], self.right[order]


@dataclass(frozen=True, slots=True)
class Seen:
    """One question, as it is judged with the encoder, and as it is without."""

    both: Candidates
    by_words: Candidates

    @property
    def case(self) -> Case:
        """The question."""
        return self.both.case


def seen_by(collection: Collection, cases: Sequence[Case], vectors: FloatArray) -> list[Seen]:
    """Every case. vectors: of the questions, (cases, VECTOR_SIZE)."""
    judge = Judge(collection)
    number = {answer.answer_id: place for place, answer in enumerate(collection.answers)}

    def seen(case: Case, vector: FloatArray | None) -> Candidates:
        allowed = np.ones(len(collection.pieces), bool)
        if case.itself is not None:
            allowed &= collection.owners != number[case.itself]
        rows, inputs = judge.inputs(case.question, vector, allowed)
        owners = collection.owners[rows]
        right = np.isin(owners, [number[each] for each in case.right])
        return Candidates(case, owners, inputs, right)

    return [
        Seen(seen(case, vector), seen(case, None))
        for case, vector in zip(cases, vectors, strict=True)
    ]
