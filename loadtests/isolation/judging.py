"""What an answer may not tell, and when two answers tell the same."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from loadtests.isolation.asking import Answer

_PASSING = re.compile(
    r'"(ranking_id|request_id|receipt|chosen_at|id|score|relevance|variant|logged|folded)":'
    r'\s*("[^"]*"|[-0-9.e]+|null)'
)
_MOST = 100  # findings of a kind that are kept


@dataclass(slots=True)
class Findings:
    """requests: by operation; names: how many were asked for by them, by operation and status;
    leaks, differences: what was found, the first hundred."""

    requests: Counter[str] = field(default_factory=Counter)
    names: dict[str, Counter[int]] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def take(self, operation: str, status: int, names: int) -> None:
        """Count a request for so many names; none: a control question."""
        self.requests[operation] += 1
        if names:
            self.names.setdefault(operation, Counter())[status] += names

    def leaked(self, what: str) -> None:
        """Note a leak."""
        if len(self.leaks) < _MOST:
            self.leaks.append(what)

    def differed(self, what: str) -> None:
        """Note an answer that only the other shop's names get."""
        if len(self.differences) < _MOST:
            self.differences.append(what)


class Secrets(NamedTuple):
    """Of the other shop: the word of all its texts, and names that it alone knows. put: names with
    the word that were sent."""

    word: str
    names: frozenset[str]
    put: tuple[str, ...] = ()

    def told(self, answer: Answer, sent: Sequence[str] = ()) -> set[str]:
        """Which of them stand in the answer; the word, where it is of no name that was sent."""
        text = answer.text + answer.headers
        found = self.names.intersection(re.findall(r"\w+", text))
        if self.word in text:
            for name in (*sent, *self.put):
                if self.word in name:
                    for form in (name, json.dumps(name)[1:-1], _as_json(name)):
                        text = text.replace(form, "")
        return {*found, self.word} if self.word in text else {*found}


def _as_json(name: str) -> str:
    """As the service writes it."""
    return json.dumps(name, ensure_ascii=False)[1:-1]


def plain(answer: Answer, names: Sequence[str]) -> tuple[int, str]:
    """What is told, without the names and what is another one each time."""
    text = answer.text
    for name in names:
        text = text.replace(name, "NAME")
    return answer.status, _PASSING.sub(r'"\1":0', text)
