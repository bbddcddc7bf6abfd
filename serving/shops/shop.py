"""One shop on a replica: what it sells, what it wants, and where its shoppers' behaviour goes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from features.behavior.matrix import Shopper
from features.controls.store import Documents
from features.events.event import BehaviorEvent
from features.events.log import AppendResult, LogEntry, RankingRecord
from serving.errors import ConflictError, ShopOpeningError
from serving.search.retrieval import Retrieval
from serving.search.suggest.suggestions import Suggestions
from serving.shops.alerts.watch import Watch
from serving.shops.answers.answers import Answers
from serving.shops.choices.following import ShoppersChoices
from serving.shops.intake import Intake
from serving.shops.items import ItemCache
from serving.shops.labels.classifiers import Classifiers
from serving.shops.labels.counting import LabelCounts
from serving.shops.pictures.shop_pictures import ShopPictures
from serving.shops.pseudonyms import Pseudonyms
from serving.shops.reserve import Reserve
from serving.shops.rights.audit import Audit
from serving.shops.rights.erasures import Erasures
from serving.shops.rules import Rules
from serving.shops.steering.steering import Steering
from serving.shops.upkeep import Upkeep


class ShopperReader(Protocol):
    """The online store, as far as a ranking needs it. `OnlineFeatures` is one."""

    def read_shopper(
        self, user_id: str | None, session_id: str | None, now_s: float | None = None
    ) -> Shopper:
        """What is known of user and session; raises when the store does not answer.

        With `now_s`, a session that has been idle for too long is not known any more.
        """
        ...


class ShopLog(Protocol):
    """The event log, as far as rankings and status need it."""

    def append(self, events: Sequence[BehaviorEvent]) -> AppendResult:
        """Keep events; durable when it returns."""
        ...

    def read(self, after_seq: int, limit: int) -> list[tuple[int, LogEntry]]:
        """Up to `limit` entries behind `after_seq`, in order."""
        ...

    def read_rankings(self, after_seq: int, limit: int) -> list[tuple[int, RankingRecord]]:
        """Up to `limit` rankings behind `after_seq`, in order of their own."""
        ...

    def append_rankings(self, rankings: Sequence[RankingRecord]) -> None:
        """Keep answered rankings."""
        ...

    def status(self, consumer: str) -> bytes | None:
        """What `consumer` last published of itself, JSON; None before the first time."""
        ...

    def last_seq(self) -> int:
        """The newest position of the log."""
        ...

    def offset(self, consumer: str) -> int:
        """The last position that `consumer` committed."""
        ...


@dataclass(frozen=True, slots=True)
class Shop:
    """Whatever belongs to one shop alone; its refresher keeps items and indexes up to date."""

    name: str
    items: ItemCache
    retrieval: Retrieval
    suggestions: Suggestions
    pseudonyms: Pseudonyms
    shoppers: ShopperReader
    log: ShopLog
    reserve: Reserve
    intake: Intake
    upkeep: Upkeep
    answers: Answers
    controls: Documents
    choices: ShoppersChoices
    audit: Audit
    erasures: Erasures
    steering: Steering
    classifiers: Classifiers
    label_counts: LabelCounts
    alerts: Watch
    space: str = ""  # names all that is kept of it (features/controls/shops.py)
    pictures: ShopPictures | None = None  # None: nobody looks at any
    language: str = "en"  # ISO 639-1, of what it sells

    @property
    def rules(self) -> Rules:
        """The merchandiser's, with all experiments that are in force; replaced whole."""
        return self.steering.rules


class Shops:
    """The shops of a replica; a caller's key leads to one of them."""

    def __init__(self, shops: Sequence[Shop]) -> None:
        self._shops = {shop.name: shop for shop in shops}  # replaced whole

    def of(self, name: str) -> Shop:
        """The shop called `name`; raises ShopOpeningError while it is not there."""
        shop = self._shops.get(name)
        if shop is None:  # its keys are known here before it is
            raise ShopOpeningError("the shop is being opened", 1)
        return shop

    def now(self, shop: Shop) -> Shop:
        """The shop for work that goes on with it: as it is open now, which may be anew.

        Raises ConflictError when it was removed: another one of its name is none of it.
        """
        there = self._shops.get(shop.name)
        if there is None or there.space != shop.space:
            raise ConflictError("the shop was removed meanwhile")
        return there

    def all(self) -> Collection[Shop]:
        """All that are there now."""
        return self._shops.values()

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return len(self._shops) > 1

    def put(self, shop: Shop) -> None:
        """Add a shop, or replace the one of its name."""
        self._shops = {**self._shops, shop.name: shop}

    def remove(self, name: str) -> None:
        """Take a shop out; no error when it is not there."""
        self._shops = {each: shop for each, shop in self._shops.items() if each != name}
