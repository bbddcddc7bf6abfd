"""A replica follows what is registered: shops are opened, changed and closed while it serves."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from features.controls.priors import PRIORS, prior_of
from features.controls.shops import Registered, ShopStatus, registered
from features.controls.store import Documents
from serving.background import Background
from serving.shops.registry.opening import OpenShop
from serving.shops.registry.rounds import Rounds
from serving.shops.shop import Shops

_LOG = logging.getLogger("vitrine.shops")
_FOLLOWED_S = 0.5
_RETIRED_S = 15.0  # longer than any request that began with it
_AGAIN_S = 10.0
_PRIORS_S = 10.0
# What of a definition a shop is opened by; all else counts where it is looked up.
_OPENED_BY = ("rules", "language", "prices")


class Follower(Protocol):
    """What of a definition counts without opening the shop anew: the keys of
    `serving.http.access.auth.Keyring`, the weights of `serving.ranking.admission.Admission`."""

    def follow(self, shops: Mapping[str, Registered]) -> None:
        """From now on these are registered."""
        ...


class Following:
    """Keeps `shops` and `followers` as they are registered in `documents`.

    open_shop: opens one, loaded or not; raises what cannot be opened. Opening takes a moment, in
    this object's own thread, and what was open before answers until then.
    """

    def __init__(
        self,
        documents: Documents,
        shops: Shops,
        followers: Sequence[Follower],
        open_shop: Callable[[Registered], OpenShop],
        rounds: Rounds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents, self._shops, self._followers = documents, shops, followers
        self._open_shop, self._rounds, self._clock = open_shop, rounds, clock
        self._registered: dict[str, Registered] | None = None
        self._open: dict[str, tuple[Any, OpenShop]] = {}  # what it was opened by, and it
        self._failed: dict[str, tuple[Any, float]] = {}  # by what, and when to try again
        self._priors_s = -math.inf  # when they were looked at
        self._retired: list[tuple[float, OpenShop, bool]] = []  # when to close it; removed?
        self._thread = Background(
            "shops", self.follow, _FOLLOWED_S, _LOG, "the shops are not followed",
            first_s=_FOLLOWED_S,
        )  # fmt: skip

    def start(self) -> None:
        """Open all that are registered, then follow; a shop that cannot be opened stops nobody.

        Raises what a store raises that is away.
        """
        self.follow()
        self._rounds.start()
        self._thread.start()

    def stop(self) -> None:
        """End, and close what was opened."""
        self._thread.stop()
        self._rounds.stop()
        for opened in [*(each for _, each in self._open.values()), *(r[1] for r in self._retired)]:
            opened.close()

    def follow(self) -> None:
        """Take over what was registered since the last time."""
        self._close_retired()
        found = registered(self._documents)
        if found != self._registered:
            self._registered = found
            self._priors_s = -math.inf  # a consent counts at once, and so does its end
            for each in self._followers:  # first: nobody comes any more for what is closed below
                each.follow(found)
        for name in [*self._open]:
            if name not in found or found[name].status is ShopStatus.REMOVED:
                self._retire(name, removed=True)
        for name, entry in found.items():
            if entry.status is ShopStatus.REMOVED or self._thread.stopping:
                continue
            by = _opened_by(entry)
            failed = self._failed.get(name)
            if failed is not None and failed[0] == by and self._clock() < failed[1]:
                continue
            if name not in self._open or self._open[name][0] != by:
                self._take(name, entry, by)
        if self._clock() >= self._priors_s + _PRIORS_S:
            self._take_priors(found)

    def _take_priors(self, found: Mapping[str, Registered]) -> None:
        documents = self._documents.all(PRIORS)
        for name, (_, opened) in self._open.items():
            opened.shop.items.take_prior(prior_of(found[name], found, documents))
        self._priors_s = self._clock()

    def _take(self, name: str, entry: Registered, by: Any) -> None:
        try:
            opened = self._open_shop(entry)
            try:
                opened.load()
            except BaseException:
                opened.close()
                raise
        except Exception:
            _LOG.exception("the shop %s cannot be opened; trying again", name)
            self._failed[name] = (by, self._clock() + _AGAIN_S)
            return
        self._failed.pop(name, None)
        self._retire(name, removed=False)
        self._open[name] = (by, opened)
        self._shops.put(opened.shop)
        self._follow_open()
        _LOG.info("the shop %s is open: %d items", name, len(opened.shop.items.table))

    def _retire(self, name: str, removed: bool) -> None:
        """Requests that are under way end with the shop that they began with."""
        if name not in self._open:
            return
        _, opened = self._open.pop(name)
        if removed:
            self._shops.remove(name)
            opened.refuse()
        self._follow_open()
        opened.shop.alerts.stop()  # it would write beside its successor, or into what is deleted
        self._retired.append((self._clock() + _RETIRED_S, opened, removed))

    def _close_retired(self) -> None:
        due = [each for each in self._retired if each[0] <= self._clock()]
        self._retired = [each for each in self._retired if each not in due]
        for _, opened, removed in due:
            opened.close()
            if removed:
                opened.forget()

    def _follow_open(self) -> None:
        self._rounds.take({name: opened for name, (_, opened) in self._open.items()})


def _opened_by(entry: Registered) -> tuple[Any, ...]:
    return entry.space, *(entry.definition.get(name) for name in _OPENED_BY)
