"""Receipts of erasures: they tell what is done and what is due, and name nobody.

A receipt is an HMAC over pseudonym and time under the shop's secret. Who has the shopper's id can
check that a receipt is of this shopper; who has the store cannot find out whose it is.
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from features.controls.store import Documents
from features.ingest.status import CONSUMER
from serving.errors import RequestError
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.rights.promises import Promises
from serving.shops.waiting_room import WaitingRoom

_ERASURES = "erasures"
_ONLINE_S, _FILES_S, _DAY_S = 60.0, 2 * 3_600.0, 86_400.0


class UnknownReceiptError(RequestError):
    """No such receipt is kept."""

    code = "unknown_receipt"
    status_code = 404


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of data. done: seen to be so; due_s: by when it is, unix seconds"""

    what: str
    done: bool
    due_s: float


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure by its receipt. at_ms: unix milliseconds; seq: its position in the log"""

    receipt: str
    at_ms: int
    seq: int

    def parts(self, folded_seq: int, promises: Promises) -> list[Part]:
        """What of it is done. folded_seq: how far ingest has come."""
        at_s, folded = self.at_ms / 1_000, folded_seq >= self.seq
        due = (
            ("events and rankings of the log", True, 0.0),
            ("features online, choices", folded, _ONLINE_S),
            ("snapshots, archive, data sets and exports that ingest finds", folded, _ONLINE_S),
            ("deleted bytes in files, by the next maintenance", False, _FILES_S),
            ("other exports", False, promises.exports_days * _DAY_S),
            ("trained models, by the next retraining", False, promises.retraining_days * _DAY_S),
            ("backups, by their schedule", False, promises.backups_days * _DAY_S),
        )
        return [Part(what, done, at_s + after_s) for what, done, after_s in due]


class Erasures:
    """The receipts of one shop."""

    def __init__(
        self,
        documents: Documents,
        pseudonyms: Pseudonyms,
        position: Callable[[str], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """position: how far a consumer of the log has come."""
        self._documents, self._pseudonyms = documents, pseudonyms
        self._position, self._clock = position, clock
        self._room = WaitingRoom("erasures", 2, 64)

    async def receipt(self, pseudonym: str, seq: int) -> Erased:
        """Keep the receipt of an erasure that stands at `seq` in the log."""
        at_ms = int(self._clock() * 1_000)
        erased = Erased(self._pseudonyms.receipt(pseudonym, at_ms), at_ms, seq)
        document = {"at_ms": at_ms, "seq": seq}
        await self._room.do(lambda: self._documents.put(_ERASURES, erased.receipt, document))
        return erased

    async def of(self, receipt: str) -> tuple[Erased, int]:
        """The erasure, and how far ingest has come. Raises UnknownReceiptError."""
        found, folded = await self._room.do(
            lambda: (self._documents.all(_ERASURES).get(receipt), self._position(CONSUMER))
        )
        if found is None:
            raise UnknownReceiptError("receipt: no such erasure is kept")
        return Erased(receipt, found["at_ms"], found["seq"]), folded

    def is_of(self, erased: Erased, pseudonym: str) -> bool:
        """Whether a receipt is of this shopper."""
        expected = self._pseudonyms.receipt(pseudonym, erased.at_ms)
        return hmac.compare_digest(expected, erased.receipt)

    def close(self) -> None:
        """Take no more."""
        self._room.close()
