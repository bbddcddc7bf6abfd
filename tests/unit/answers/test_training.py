"""A model of answers learns order and sureness from few questions, and the gate can be shut."""

import json
from pathlib import Path

import numpy as np
import pytest

from features.arrays import FloatArray
from serving.models.contract import VECTOR_SIZE
from serving.search.answers.answer import Answer
from serving.search.answers.model import INPUTS, AnswerModel
from serving.training.fit.answers.candidates import Candidates, Seen
from serving.training.fit.answers.cases import Case, Cases, of_pairs, read_pairs
from serving.training.fit.answers.evaluation import TRAINED, ZERO_SHOT, cross_validated, recall
from serving.training.fit.answers.fitting import least_for, train
from serving.training.fit.answers.gate import check_enough, judged
from serving.training.fit.answers.material import seen_with
from serving.training.fit.kept.material import MaterialError

ANSWERS = 12


def made(questions: int, telling: str, seed: int = 0) -> list[Seen]:
    """Questions over ANSWERS answers, of which `telling` says which is right and no other does."""
    rng = np.random.default_rng(seed)
    seen = []
    for number in range(questions):
        inputs = rng.uniform(0, 0.5, (ANSWERS, len(INPUTS))).astype(np.float32)
        right = np.arange(ANSWERS) == number % ANSWERS
        inputs[right, INPUTS.index(telling)] += rng.uniform(0.2, 0.6)
        case = Case(f"q{number}", frozenset({str(number % ANSWERS)}), group=number)
        one = Candidates(case, np.arange(ANSWERS), inputs, right)
        seen.append(Seen(one, one))
    return seen


def test_what_tells_right_answers_gets_the_weight() -> None:
    model = train(made(60, "alike"))
    assert INPUTS[int(np.argmax(model.with_vector[:-1]))] == "alike"
    assert model.words_only[INPUTS.index("cosine")] == 0


def test_a_model_that_is_better_passes_the_gate_and_one_that_is_not_does_not() -> None:
    better = judged(cross_validated(made(60, "alike"), "english"))
    assert better.problem is None
    same = judged(cross_validated(made(60, "cosine"), "english"))
    assert same.problem is not None
    assert "recall@1" in same.problem


def test_the_surest_answers_are_right_as_often_as_they_say() -> None:
    judgement = judged(cross_validated(made(120, "alike"), "english"))
    share, precision = judgement.own
    assert precision >= 0.85
    assert 0.3 < share <= 0.9
    assert judgement.calibration_error < 0.1


def test_questions_of_a_fold_are_ranked_by_a_model_that_has_not_seen_them() -> None:
    held = cross_validated(made(40, "alike"), "english")
    assert len(held.judged) == 40
    assert recall(held, TRAINED, 1).mean() > recall(held, ZERO_SHOT, 1).mean()


def test_the_least_confidence_is_the_lowest_that_is_precise_enough() -> None:
    sure = np.array([0.9, 0.8, 0.7, 0.6])
    right = np.array([True, True, False, True])
    assert least_for(sure, right, np.ones(4), 0.9) == 0.8
    assert least_for(sure, ~right, np.ones(4), 0.9) == 1.0


def test_a_models_document_comes_back_as_it_was() -> None:
    model = train(made(40, "alike"))
    back = AnswerModel.of(json.loads(json.dumps({**model.document, "version": "7"})))
    assert back.version == "7"
    assert np.allclose(back.with_vector, model.with_vector)
    assert np.allclose(back.calibration, model.calibration)
    assert back.least == model.least


def test_pairs_that_ask_the_same_are_right_for_each_other_through_others(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [
        {"question": "a?", "answer": "b?", "label": "1"},
        {"sentence1": "b!", "sentence2": "c", "label": 1},
        {"question": "a?", "answer": "d", "label": 0},
        {"question": "x", "answer": "y"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    cases = of_pairs(read_pairs(path), ["e"])
    titles = {answer.answer_id: answer.title for answer in cases.answers}
    assert list(titles.values()) == ["a?", "b?", "b!", "c", "d", "e"]
    first = cases.cases[0]
    assert {titles[each] for each in first.right} == {"b?", "b!", "c"}
    assert first.itself is not None
    assert titles[first.itself] == "a?"
    (judged_wrong,) = [case for case in cases.cases if case.question == "d"]
    assert not judged_wrong.complete


def test_a_line_that_is_no_pair_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"question": "a", "answer": "b"}\n{"question": "a"}\n')
    with pytest.raises(MaterialError, match="line 2"):
        read_pairs(path)
    with pytest.raises(MaterialError, match="40 are needed"):
        check_enough(Cases([], []))


class Letters:
    """A `TextEncoding`: texts are near that have the same letters."""

    def encode(self, texts: list[str]) -> FloatArray:
        out = np.zeros((len(texts), VECTOR_SIZE), np.float32)
        for row, text in enumerate(texts):
            for letter in text.lower():
                out[row, ord(letter) % VECTOR_SIZE] += 1
        norm = np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
        vectors: FloatArray = (out / norm).astype(np.float32)
        return vectors


def test_a_question_is_never_answered_by_itself() -> None:
    pair = {"one": "where is my parcel", "other": "where's the parcel", "label": 1}
    cases = of_pairs([pair], ["something else"])
    first, _ = seen_with(cases, Letters(), "en")
    assert "0" not in {cases.answers[owner].answer_id for owner in first.both.owners}
    assert first.both.right.any()


def test_feedback_and_pairs_are_learnt_from_together_and_told_apart() -> None:
    feedback = Cases([Answer("0", "returns")], [Case("send back", frozenset({"0"}))])
    pairs = of_pairs([{"one": "where is it", "other": "where's it", "label": 1}])
    both = feedback.joined(pairs)
    assert [answer.answer_id for answer in both.answers] == ["0", "pair:0", "pair:1"]
    assert [case.right for case in both.cases] == [{"0"}, {"pair:1"}, {"pair:0"}]
    assert [case.group for case in both.cases] == [0, 1, 1]
