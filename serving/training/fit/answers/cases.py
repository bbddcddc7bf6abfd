"""Questions with the answers that are right for them: from judged pairs, and from feedback."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from features.events.event import BehaviorEvent, EventType
from serving.search.answers.answer import Answer
from serving.training.fit.kept.material import MaterialError

_ENDS = (("question", "answer"), ("sentence1", "sentence2"))  # names of a pair's two texts
_NO_LETTERS = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Case:
    """A question. right, wrong: ids of answers; complete: whether all others are wrong as well, so
    that nothing answers it when none is right; itself: the answer that is this very text, and is no
    answer to it; group: what is drawn together, since a pair can be asked from both ends."""

    question: str
    right: frozenset[str]
    wrong: frozenset[str] = frozenset()
    itself: str | None = None
    group: int = 0
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Cases:
    """Questions over one collection."""

    answers: list[Answer]
    cases: list[Case]

    @property
    def answerable(self) -> list[Case]:
        """Those that some answer is right for."""
        return [case for case in self.cases if case.right]

    def joined(self, other: "Cases") -> "Cases":
        """Both over one collection; the other's ids and groups are told apart."""

        def named(ids: frozenset[str]) -> frozenset[str]:
            return frozenset(f"pair:{each}" for each in ids)

        behind = 1 + max((case.group for case in self.cases), default=-1)
        cases = [
            replace(
                case,
                right=named(case.right),
                wrong=named(case.wrong),
                itself=None if case.itself is None else f"pair:{case.itself}",
                group=behind + case.group,
            )
            for case in other.cases
        ]
        answers = [replace(each, answer_id=f"pair:{each.answer_id}") for each in other.answers]
        return Cases([*self.answers, *answers], [*self.cases, *cases])


def read_pairs(path: Path) -> list[dict[str, Any]]:
    """JSON lines of two texts (question and answer, or sentence1 and sentence2) and a label: 1, the
    two ask the same; 0, they do not; none, nobody has judged. Raises MaterialError."""
    pairs = []
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise MaterialError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, start=1):
        try:
            told = json.loads(line)
            one, other = next(ends for ends in _ENDS if ends[0] in told)
            label = told.get("label")
            pair = {"one": str(told[one]), "other": str(told[other]),
                    "label": None if label is None else int(label)}  # fmt: skip
        except (ValueError, KeyError, StopIteration, TypeError, AttributeError):
            raise MaterialError(
                f"{path}: line {number} is no object with question and answer"
            ) from None
        pairs.append(pair)
    return pairs


def of_pairs(pairs: Iterable[Mapping[str, Any]], more: Sequence[str] = ()) -> Cases:
    """Every text is an answer, and every end of a pair that asks the same a question whose right
    answers are all texts that ask it, as far as pairs say so. more: other answers, wrong for all.

    Texts of pairs without a label are left out.
    """
    judged = [pair for pair in pairs if pair["label"] is not None]
    texts = dict.fromkeys(text for pair in judged for text in (pair["one"], pair["other"]))
    texts |= dict.fromkeys(more)
    number = {text: str(place) for place, text in enumerate(texts)}
    same = _Same(number.values())
    written: dict[str, str] = {}
    for text, key in number.items():
        same.join(key, written.setdefault(plain(text), key))
    for pair in judged:
        if pair["label"] == 1:
            same.join(number[pair["one"]], number[pair["other"]])
    groups = same.groups()
    cases = []
    for place, pair in enumerate(judged):
        for question, other in ((pair["one"], pair["other"]), (pair["other"], pair["one"])):
            itself = number[question]
            right = groups[same.of(itself)] - {itself}
            wrong = frozenset({number[other]}) - right
            cases.append(Case(question, right, wrong, itself, place, bool(right)))
    answers = [Answer(key, text) for text, key in number.items()]
    return Cases(answers, cases)


def of_feedback(events: Iterable[BehaviorEvent], answers: Sequence[Answer]) -> Cases:
    """What customers and those who took over said, over the answers as they are now.

    A question is one however often it was asked; what was said last of an answer stands.
    """
    known = {answer.answer_id for answer in answers}
    said: dict[str, dict[str | None, bool]] = {}
    text_of: dict[str, str] = {}
    for event in sorted(events, key=lambda event: event.at_s):
        if event.query is None or (event.answer_id is not None and event.answer_id not in known):
            continue
        key = plain(event.query)
        text_of.setdefault(key, event.query)
        judged = said.setdefault(key, {})
        judged.pop(event.answer_id, None)
        judged[event.answer_id] = event.type is not EventType.NOT_HELPFUL
    cases = []
    for group, (key, judged) in enumerate(said.items()):
        right = frozenset(each for each, good in judged.items() if each is not None and good)
        wrong = frozenset(each for each, good in judged.items() if each is not None and not good)
        complete = bool(right) or None in judged
        cases.append(Case(text_of[key], right, wrong, None, group, complete))
    return Cases(list(answers), cases)


def plain(text: str) -> str:
    """A text without what is no letter or digit: the same question, however it is written."""
    return _NO_LETTERS.sub("", unicodedata.normalize("NFKC", text).casefold())


class _Same:
    """Which texts ask the same: whoever is joined, and whoever these are joined with."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._above = {key: key for key in keys}

    def of(self, key: str) -> str:
        while self._above[key] != key:
            self._above[key] = key = self._above[self._above[key]]
        return key

    def join(self, one: str, other: str) -> None:
        self._above[self.of(one)] = self.of(other)

    def groups(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for key in self._above:
            found.setdefault(self.of(key), set()).add(key)
        return {key: frozenset(members) for key, members in found.items()}
