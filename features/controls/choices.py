"""Whether shoppers want to be known: read without reading anything of them (docs/adr/0054).

A choice is a small document by the pseudonym of a user or session, in one of 256 shards; who chose
nothing has none. Beside the shards stands a mark for each, another one whenever it has changed:
followers read the marks often, and a shard only then.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from features.controls.store import Controls

_MARKS = "choices"  # by shard
_SHARD = "choices:"  # the kind of a shard's documents
_DIGITS = 2  # of a pseudonym: its shard
_HEX = [f"{number:02x}" for number in range(256)]  # all there can be
_FOLLOWED_S = 0.5
_ANYWAY_S = 600.0  # a writer that died between a choice and its mark


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody chose. personal: rankings may use what is known; profiling: events may be kept
    and learnt from, as they must be where answers are personal; frozen: what is known is kept,
    unused and unchanged."""

    personal: bool = True
    profiling: bool = True
    frozen: bool = False

    @property
    def used(self) -> bool:
        """Whether a ranking may know who asks."""
        return self.personal and not self.frozen

    @property
    def learnt(self) -> bool:
        """Whether what the shopper does may be kept."""
        return self.profiling and not self.frozen

    def beside(self, other: "Choice") -> "Choice":
        """What both allow."""
        return Choice(
            self.personal and other.personal,
            self.profiling and other.profiling,
            self.frozen or other.frozen,
        )


USUAL = Choice()


class Choices:
    """The choices of one shop's shoppers, as a process knows them. Blocks, but for `of`."""

    def __init__(self, documents: Controls, clock: Callable[[], float] = time.monotonic) -> None:
        self._documents, self._clock = documents, clock
        self._taking = threading.Lock()
        self._marks: Mapping[str, Any] = {}
        self._shards: dict[str, Mapping[str, Choice]] = {}  # each replaced whole
        self._followed_s = self._read_s = float("-inf")

    def of(self, *pseudonyms: str | None) -> Choice:
        """What all of them allow, user and session; None is nobody."""
        found = USUAL
        for name in pseudonyms:
            chosen = None if name is None else self._shards.get(name[:_DIGITS], {}).get(name)
            found = found if chosen is None else found.beside(chosen)
        return found

    def follow(self) -> None:
        """Take over what changed since the last time; raises what the store raises."""
        with self._taking:
            now_s = self._clock()
            marks = self._documents.all(_MARKS)
            anyway = now_s - self._read_s >= _ANYWAY_S
            for shard in {*_HEX, *marks} if anyway else marks:
                if anyway or marks.get(shard) != self._marks.get(shard):
                    self._take(shard)
            self._marks, self._followed_s = marks, now_s
            if anyway:
                self._read_s = now_s

    def compact(self) -> bool:
        """Leave no byte of forgotten choices in any file; False when a reader was in the way."""
        return self._documents.compact()

    def fresh(self) -> "Choices":
        """These, not older than half a second."""
        if self._clock() - self._followed_s >= _FOLLOWED_S:
            self.follow()
        return self

    def change(self, name: str, to: Callable[[Choice], Choice], at_s: float) -> None:
        """Keep what the user or session chose, as `to` makes of what stands; durable, and in force
        here, when it returns. Of two changes at once none is lost.

        Raises StoreFullError, and what `to` raises.
        """
        while True:
            before = self._documents.all(_kind(name)).get(name)
            choice = to(USUAL if before is None else _choice(before))
            document = {**asdict(choice), "at_s": at_s}
            if self._documents.swap(_kind(name), name, before, document):
                break
        self._changed(name)  # also of the same again: an earlier mark may not have been written

    def told(self, name: str) -> tuple[Choice, float | None]:
        """As it is kept, and when that was chosen, unix seconds; None: never."""
        document = self._documents.all(_kind(name)).get(name)
        return (USUAL, None) if document is None else (_choice(document), document["at_s"])

    def forget(self, *names: str, until_s: float) -> None:
        """Keep nothing of these that was chosen by then; for an erasure."""
        for name in names:
            document = self._documents.all(_kind(name)).get(name)
            if document is not None and document["at_s"] <= until_s:
                self._documents.delete(_kind(name), name)
                self._changed(name)

    def _changed(self, name: str) -> None:
        shard = name[:_DIGITS]
        self._documents.put(_MARKS, shard, {"change": uuid.uuid4().hex})
        with self._taking:
            self._take(shard)

    def _take(self, shard: str) -> None:
        found = self._documents.all(_SHARD + shard)
        self._shards[shard] = {name: _choice(document) for name, document in found.items()}


def _kind(name: str) -> str:
    return _SHARD + name[:_DIGITS]


def _choice(document: Mapping[str, Any]) -> Choice:
    choice = Choice(document["personal"], document["profiling"], document["frozen"])
    return _SHARED.setdefault(choice, choice)  # there are eight, and may be a million documents


_SHARED: dict[Choice, Choice] = {}
