"""A permit before any work, fair between shops: what cannot be answered in time is refused."""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from features.controls.shops import DEFAULT_SHOP, Registered
from serving.errors import OverloadedError
from serving.ranking.settings import AdmissionSettings
from serving.telemetry.stages import Stages
from serving.types import Stage

_ASKS_S = 1.0  # a shop that has asked within it has a share that nobody else is lent
_LOOKED_S = 0.1  # between two looks at who asks
_GUESS_S = 0.05  # what a permit is held for, before the first was given back
_SMOOTHING = 0.1
_ROUNDING = 1e-9


@dataclass(slots=True, eq=False)
class _Share:
    """What one shop has of the permits, and what it waits for."""

    weight: float = 1.0
    asked_s: float = 0.0
    working: int = 0
    served_s: float = 0.0  # virtual time: seconds that its permits were held, by its weight
    usual_s: float = _GUESS_S
    waiting: "deque[asyncio.Future[float]]" = field(default_factory=deque)

    @property
    def held(self) -> float:
        """How much it holds of what others could have, by its weight."""
        return (self.working + len(self.waiting)) / self.weight


class Admission:
    """Few rankings are worked on at once: of a shop in the order of their arrival, of several by
    weighted fair queueing. Of one event loop, but for `follow`.

    With more, the model's replies wait for the one event loop until all seem late, and a model that
    is well seems to hang.

    A shop that asks alone may have all permits. While others ask, too, it has the part of them that
    its weight gives it, rounded up: what floods runs beside a ranking of somebody else as little as
    it would if that one had work for all of its own share. A free permit goes to the shop that was
    served least, in seconds of permits by weight, as in start-time fair queueing (Goyal et al.,
    1996): one that was idle begins where the others are, and saves nothing up. Where no more can
    wait, the one that holds most loses its newest, as in longest queue drop (McKenney, 1990).
    """

    def __init__(
        self, settings: AdmissionSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._clock = settings, clock
        self._weights: Mapping[str, float] = {}  # replaced whole
        self._shares: dict[str, _Share] = {}
        self._working = self._waiting = 0
        self._virtual_s = 0.0  # where the one that was served last began
        self._looked_s = -math.inf
        self._weight_of_all = 0.0  # of the shops that ask

    @property
    def spare(self) -> bool:
        """Whether there is room for work that nobody waits for."""
        return self._working + self._waiting < self._settings.shadow_below

    def follow(self, shops: Mapping[str, Registered]) -> None:
        """From now on the weights of these shops. From any thread."""
        self._weights = {name: shop.definition.get("weight", 1.0) for name, shop in shops.items()}

    @asynccontextmanager
    async def turn(self, shop: str, deadline_s: float, stages: Stages) -> AsyncIterator[None]:
        """The block is a turn of a request of this shop; raises OverloadedError."""
        share = self._asks(shop)
        self._make_room(share)
        stages.waited()
        charged_s = await self._permit(share, deadline_s, stages)
        since_s = self._clock()
        try:
            yield
        finally:
            self._give_back(share, charged_s, self._clock() - since_s)

    def _asks(self, shop: str) -> _Share:
        now_s, share = self._clock(), self._shares.get(shop)
        if share is None:
            share = self._shares[shop] = _Share()
            self._looked_s = -math.inf
        own = self._settings.default_weight if shop == DEFAULT_SHOP else 1.0
        share.weight = self._weights.get(shop, own)
        share.asked_s = now_s
        if not share.waiting:
            share.served_s = max(share.served_s, self._virtual_s)
        self._look(now_s)
        return share

    def _look(self, now_s: float) -> None:
        """Who asks; a shop that does not is forgotten."""
        if now_s < self._looked_s + _LOOKED_S:
            return
        self._looked_s = now_s
        self._shares = {
            name: share
            for name, share in self._shares.items()
            if share.held or now_s - share.asked_s < _ASKS_S
        }
        self._weight_of_all = sum(share.weight for share in self._shares.values())

    def _has_room(self, share: _Share) -> bool:
        """Whether a permit is free that the shop may have."""
        permits = self._settings.max_concurrent_rankings
        if self._working >= permits:
            return False
        # Rounded up: the parts of all are all permits, and one at least is of each.
        part = permits * min(1.0, share.weight / self._weight_of_all)
        return share.working < math.ceil(part - _ROUNDING)

    def _make_room(self, share: _Share) -> None:
        if self._working + self._waiting < self._settings.max_ongoing_rankings:
            return
        waiting = [each for each in self._shares.values() if each.waiting]
        most = max(waiting, key=lambda each: each.held, default=share)
        if most.held <= share.held + 1 / share.weight:
            raise OverloadedError("too many rankings are under way", 1)
        newest = most.waiting.pop()
        self._waiting -= 1
        if not newest.done():
            newest.set_exception(OverloadedError("others were served less", 1))

    async def _permit(self, share: _Share, deadline_s: float, stages: Stages) -> float:
        """Waits for half of what is left, as the other half is for the work; returns the seconds
        that are charged."""
        if not share.waiting and self._has_room(share):
            return self._grant(share)
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        share.waiting.append(turn)
        self._waiting += 1
        try:
            with stages.stage(Stage.WAIT):
                async with asyncio.timeout((deadline_s - time.monotonic()) / 2):
                    return await turn
        except BaseException as error:
            self._leave(share, turn)
            if isinstance(error, TimeoutError):
                raise OverloadedError("no turn came in time", 1) from None
            raise

    def _grant(self, share: _Share) -> float:
        self._virtual_s = max(self._virtual_s, share.served_s)
        share.working += 1
        self._working += 1
        share.served_s += share.usual_s / share.weight
        return share.usual_s

    def _give_back(self, share: _Share, charged_s: float, held_s: float) -> None:
        share.working -= 1
        self._working -= 1
        share.served_s += (held_s - charged_s) / share.weight
        share.usual_s += _SMOOTHING * (held_s - share.usual_s)
        self._next()

    def _leave(self, share: _Share, turn: "asyncio.Future[float]") -> None:
        """Of one that waits no more: for want of time, or as its caller left."""
        if turn in share.waiting:
            share.waiting.remove(turn)
            self._waiting -= 1
        elif not turn.cancelled() and turn.exception() is None:  # its turn came just then
            self._give_back(share, turn.result(), 0.0)

    def _next(self) -> None:
        """Permits that are free go to those who wait and may have one."""
        self._look(self._clock())
        while True:
            ready = [
                share for share in self._shares.values() if share.waiting and self._has_room(share)
            ]
            if not ready:
                return
            share = min(ready, key=lambda each: each.served_s)
            turn = share.waiting.popleft()
            self._waiting -= 1
            if not turn.done():
                turn.set_result(self._grant(share))
