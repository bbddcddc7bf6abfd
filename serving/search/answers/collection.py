"""A shop's answers on a replica, and which of them a question wants.

A collection has some thousand answers at most, so every question is compared with all of them, and
what changes makes a new collection: nothing here is written to while it is read.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, RowArray
from serving.models.contract import VECTOR_SIZE
from serving.search.answers.answer import Answer
from serving.search.answers.model import INPUTS, AnswerModel
from serving.search.answers.words import WordIndex
from serving.search.words.analysis import Analyzer

_DEPTH = 40  # pieces by vector and by words, that are judged
_CONTEXT = 0.9  # what confidence counts that needed what was said before


@dataclass(frozen=True, slots=True)
class Matched:
    """An answer with how sure it is. piece: of it, that matched; inputs: INPUTS by name."""

    answer: Answer
    confidence: float
    piece: str
    score: float
    inputs: dict[str, float]
    with_conversation: bool = False


class Collection:
    """Answers, their pieces, and what is needed to find them.

    vectors: float32 (pieces, VECTOR_SIZE) in the order of `pieces_of`, zeros of what has none yet;
    None: of none
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        vectors: FloatArray | None = None,
        analyzer: Analyzer | None = None,
    ) -> None:
        self.answers = tuple(answers)
        self.pieces, self.owners = pieces_of(self.answers)
        nothing = np.zeros((len(self.pieces), VECTOR_SIZE), np.float32)
        self.vectors = nothing if vectors is None else vectors
        self.encoded: BoolArray = np.asarray(self.vectors.any(axis=1), bool)  # that have a vector
        self.analyzer = analyzer or Analyzer()
        self.words = WordIndex(self.pieces, self.analyzer)

    def with_vectors(self, vectors: FloatArray) -> Self:
        """The same answers with other vectors; their words are not read anew."""
        other = copy(self)
        other.vectors, other.encoded = vectors, np.asarray(vectors.any(axis=1), bool)
        return other

    @property
    def has_vectors(self) -> bool:
        """Whether a question's vector is of use."""
        return bool(self.encoded.any())

    @cached_property
    def languages(self) -> frozenset[str]:
        """Of all answers that say theirs."""
        return frozenset(answer.language for answer in self.answers if answer.language)

    def in_language(self, language: str | None) -> BoolArray:
        """The pieces that may be shown to someone of this language, (pieces,).

        Where nothing is written in it, all of them: an answer in another one is an answer.
        """
        if not language or language not in self.languages:
            return np.ones(len(self.pieces), bool)
        fits = np.array([answer.language in ("", language) for answer in self.answers], bool)
        return fits[self.owners]


def pieces_of(answers: Sequence[Answer]) -> tuple[list[str], RowArray]:
    """The pieces of all answers, and the number of each one's answer."""
    pieces = [(piece, number) for number, answer in enumerate(answers) for piece in answer.pieces]
    return [piece for piece, _ in pieces], np.array([number for _, number in pieces], np.int64)


class Judge:
    """A collection judged by a model; None: the untrained one of the English encoder."""

    def __init__(self, collection: Collection, model: AnswerModel | None = None) -> None:
        self.collection = collection
        self.model = model or AnswerModel.untrained()

    def answers(
        self,
        readings: Sequence[str],
        vectors: FloatArray | None,
        language: str | None = None,
        limit: int = 5,
    ) -> list[Matched]:
        """The likeliest answers, at most `limit`, best first.

        readings: the question, and where something was said before, the two together; vectors:
        (readings, VECTOR_SIZE), None: by words alone
        """
        best: dict[str, Matched] = {}
        allowed = self.collection.in_language(language)
        for place, reading in enumerate(readings):
            vector = None if vectors is None or not vectors[place].any() else vectors[place]
            for match in self._matches(reading, vector, allowed, place > 0):
                known = best.get(match.answer.answer_id)
                if known is None or match.confidence > known.confidence:
                    best[match.answer.answer_id] = match
        ordered = sorted(best.values(), key=lambda match: (-match.confidence, -match.score))
        return ordered[:limit]

    def _matches(
        self, reading: str, vector: FloatArray | None, allowed: BoolArray, with_conversation: bool
    ) -> list[Matched]:
        rows, inputs = self.inputs(reading, vector, allowed)
        if not len(rows):
            return []
        has_vector = vector is not None and self.collection.has_vectors
        scores = self.model.scores(inputs, False)
        if has_vector:
            encoded = self.collection.encoded[rows]
            scores[encoded] = self.model.scores(inputs[encoded], True)
        first = best_of_each(self.collection.owners[rows], scores)
        sure = self.model.confidence(scores[first].astype(np.float64), has_vector)
        if with_conversation:
            sure = sure * _CONTEXT
        return [
            Matched(
                self.collection.answers[self.collection.owners[rows[at]]],
                confidence,
                self.collection.pieces[rows[at]],
                float(scores[at]),
                dict(zip(INPUTS, inputs[at].tolist(), strict=True)),
                with_conversation,
            )
            for at, confidence in zip(first.tolist(), sure.tolist(), strict=True)
        ]

    def inputs(
        self, reading: str, vector: FloatArray | None, allowed: BoolArray
    ) -> tuple[RowArray, FloatArray]:
        """The pieces that may answer, and their INPUTS, float32 (n, len(INPUTS))."""
        collection = self.collection
        words, alike = collection.words.shares(reading), collection.words.alike(reading)
        lists = [_best(words, allowed & (words > 0)), _best(alike, allowed & (alike > 0))]
        cosines = np.zeros(len(words), np.float32)
        if vector is not None:
            cosines = collection.vectors @ vector
            lists.append(_best(cosines, allowed & collection.encoded))
        rows = np.unique(np.concatenate(lists))
        columns = [cosines[rows], words[rows], alike[rows]]
        return rows, np.column_stack(columns).astype(np.float32)


def best_of_each(owners: RowArray, scores: FloatArray | DoubleArray) -> RowArray:
    """Where the best score of each owner stands."""
    order = np.lexsort((-scores, owners))
    first = np.ones(len(order), bool)
    first[1:] = owners[order][1:] != owners[order][:-1]
    found: RowArray = order[first]
    return found


def _best(values: FloatArray, among: BoolArray) -> RowArray:
    rows = np.flatnonzero(among)
    if len(rows) > _DEPTH:
        rows = rows[np.argpartition(-values[rows], _DEPTH)[:_DEPTH]]
    return rows
