"""What every client of `/rerank` is asked, and how its answers are judged.

A module of clients calls `main` with its calls; each case is printed as a line of JSON.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, NamedTuple

QUERY = "something to wash my hair with"
TEXTS = ("garden hose, 20 m", "mild shampoo, 250 ml", "rye bread, sliced", "winter tyre")
SHAMPOO = 1
LONG = "mild shampoo, 250 ml. " + "x" * 10_000  # more than is read; the words stand in front
FIELDED: tuple[dict[str, Any], ...] = (
    {"title": "Garden hose", "text": "shampoo for your hair"},
    {"title": "Shampoo", "text": "twenty metres, green"},
)


class Found(NamedTuple):
    """One result: its place in what was asked, and its text where the client gives one."""

    place: int
    score: float
    text: str | None = None


@dataclass(frozen=True)
class Asked:
    """One request, in words of which each client has its own."""

    url: str
    key: str
    query: str = QUERY
    texts: Sequence[Any] = TEXTS
    top_n: int | None = None
    documents: bool | None = None
    fields: list[str] | None = None


@dataclass(frozen=True)
class Call:
    """A way to ask.

    refusal: what the client raises for a key that is not known.
    has: which of `documents` (texts come back if asked for) and `fields` (of documents some are
    read) the client has.
    """

    package: str
    name: str
    ask: Callable[[Asked], list[Found]]
    refusal: type[BaseException]
    has: frozenset[str] = frozenset()
    limit: str = ""  # why it gets no documents, although it asks for them


def _a_list(call: Call, asked: Asked) -> None:
    found = call.ask(asked)
    assert sorted(each.place for each in found) == list(range(len(TEXTS))), found
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True), found
    assert all(0 <= score <= 1 for score in scores), found


def _meaning(call: Call, asked: Asked) -> None:
    best, second, *_ = call.ask(asked)
    assert best.place == SHAMPOO, best
    assert best.score > 2 * second.score, (best, second)


def _top_n(call: Call, asked: Asked) -> None:
    found = call.ask(replace(asked, top_n=1))
    assert [each.place for each in found] == [SHAMPOO], found


def _documents(call: Call, asked: Asked) -> None:
    shown = call.ask(replace(asked, documents=True))
    assert [each.text for each in shown] == [TEXTS[each.place] for each in shown], shown
    hidden = call.ask(replace(asked, documents=False))
    assert all(each.text is None for each in hidden), hidden


def _too_long(call: Call, asked: Asked) -> None:
    found = call.ask(replace(asked, texts=(TEXTS[0], LONG, TEXTS[2])))
    assert found[0].place == SHAMPOO, found
    assert len(found) == 3, found


def _fields(call: Call, asked: Asked) -> None:
    for fields, first in ((["title"], 1), (["text"], 0)):
        found = call.ask(replace(asked, texts=FIELDED, fields=fields))
        assert found[0].place == first, (fields, found)


def _wrong_key(call: Call, asked: Asked) -> str:
    try:
        found = call.ask(replace(asked, key="wrong"))
    except call.refusal as error:
        words = str(error)  # an assertion has none
        assert not words or "401" in words or "a known key" in words, words
        return type(error).__name__
    raise AssertionError(f"answered: {found}")


_CASES: dict[str, Callable[[Call, Asked], str | None]] = {
    "list": _a_list,
    "meaning": _meaning,
    "top_n": _top_n,
    "documents": _documents,
    "too long": _too_long,
    "fields": _fields,
    "wrong key": _wrong_key,
}
_OPTIONAL = {"documents", "fields"}


def main(*calls: Call) -> None:
    """Run every case of every call: `python -m <module> URL KEY`."""
    url, key = sys.argv[1:]
    for call in calls:
        for case in _CASES:
            _tell(call.package, call.name, case, _result(call, case, Asked(url, key)))


def _result(call: Call, case: str, asked: Asked) -> str:
    if case in _OPTIONAL - call.has:
        return "-"
    try:
        result = _CASES[case](call, asked) or "yes"
    except Exception as error:
        known = case == "documents" and call.limit
        return f"no: {call.limit}" if known else f"FAILED: {type(error).__name__}: {error}"
    return (
        f"FAILED: it has no limit: {call.limit}" if case == "documents" and call.limit else result
    )


def tell_nothing(package: str, name: str, calls: list[str]) -> None:
    """Tell of a client that has no call for it; `calls` are those found after all."""
    for case in _CASES:
        _tell(package, name, case, f"FAILED: it has {calls}" if calls else "-")


def _tell(package: str, name: str, case: str, result: str) -> None:
    told = {"client": package, "version": version(package), "call": name}
    print(json.dumps({**told, "case": case, "result": result}), flush=True)
