"""What a shop's key is answered to the other shop's names, and what that changes there.

An answer is judged twice. It holds no text of the other shop, and no name of it that was not sent.
And it is the same as to a name that nobody has ever given: so it does not even tell whether the
other shop has it.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from loadtests.isolation.operations import ONCE, WITH_A_NAME, WITHOUT_A_NAME, Call
from loadtests.isolation.shops import OwnShop

_PASSING = re.compile(
    r'"(ranking_id|request_id|receipt|chosen_at|id|score|relevance|variant|logged|folded)":'
    r'\s*("[^"]*"|[-0-9.e]+|null)'
)
# Their answers go by the text, or by what is popular at the moment, whoever is named.
_BY_TEXT = {
    "search", "suggest", "rerank", "rerank_v1", "rerank_v2", "list_items", "recommend",
    "recommend_brands", "recommend_categories", "rank_answers",
}  # fmt: skip
_UNKNOWN = "n0b0dy-has-this"


@dataclass(slots=True)
class Findings:
    """requests: by operation; leaks, differences: what was found, the first hundred."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def take(self, operation: str, status: int) -> None:
        """Count one."""
        self.requests[operation] += 1
        self.statuses.setdefault(operation, Counter())[status] += 1


def ask(
    own: OwnShop,
    other: OwnShop,
    names: Sequence[str],
    workers: int = 4,
    told: Callable[[], None] = lambda: None,
) -> Findings:
    """Send every operation every name with the key of `own`. told: after each name."""
    findings = Findings()
    # A name that is made up of the word is the shop's own for as long as a worker has put it there.
    put = tuple(name for name in names if other.word in name)
    secrets = _Secrets(other.word, frozenset(other.withheld), put)

    def one(numbered: tuple[int, str]) -> None:
        number, name = numbered
        for operation, call in WITH_A_NAME.items():
            _compare(own.client, operation, call, name, f"{_UNKNOWN}{number}", secrets, findings)
        told()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, enumerate(names)))
    _compare(own.client, "put_experiment", ONCE["put_experiment"], other.experiment, "nobodys",
             secrets, findings)  # fmt: skip
    own.client.delete(f"/v1/experiments/{other.experiment}")
    own.client.delete("/v1/experiments/nobodys")
    for operation, call in WITHOUT_A_NAME.items():
        answer = _send(own.client, call)
        findings.take(operation, answer.status_code)
        _look(operation, answer, "", secrets, findings)
    return findings


def _compare(
    client: httpx.Client,
    operation: str,
    call: Callable[[str], Call],
    name: str,
    unknown: str,
    secrets: "_Secrets",
    findings: Findings,
) -> None:
    answer = _send(client, call(name))
    findings.take(operation, answer.status_code)
    _look(operation, answer, name, secrets, findings)
    # Another form of name is refused for its form: then there is nothing to compare.
    if (
        operation in _BY_TEXT
        or answer.status_code == 422
        or not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII)
    ):
        return
    expected = _send(client, call(unknown))
    ours, theirs = _plain(answer, name), _plain(expected, unknown)
    if ours != theirs and len(findings.differences) < 100:
        findings.differences.append(f"{operation} {name!r}: {ours} and not {theirs}")


class _Secrets(NamedTuple):
    """Of the other shop: the word of all its texts, and names that it alone knows. put: names with
    the word that were sent."""

    word: str
    names: frozenset[str]
    put: tuple[str, ...] = ()

    def told(self, text: str) -> set[str]:
        """Which of them stand in `text`."""
        if self.word in text:
            for name in self.put:
                text = text.replace(name, "")
        found = self.names.intersection(re.findall(r"\w+", text))
        return {*found, self.word} if self.word in text else {*found}


def _look(
    operation: str, answer: httpx.Response, sent: str, secrets: _Secrets, findings: Findings
) -> None:
    for secret in secrets.told(answer.text + str(dict(answer.headers))):
        if secret not in sent and len(findings.leaks) < 100:
            findings.leaks.append(f"{operation} {sent!r} told {secret!r}: {answer.text[:300]}")


def _send(client: httpx.Client, call: Call) -> httpx.Response:
    return client.request(
        call.method, call.path, json=call.json, content=call.content, params=call.params
    )


def _plain(answer: httpx.Response, name: str) -> tuple[int, Any]:
    """What is told, without the name and what is another one each time."""
    return answer.status_code, _PASSING.sub(r'"\1":0', answer.text.replace(name, "NAME"))
