"""One replica's part in what shoppers chose: it follows, and keeps what is chosen here."""

import logging
import time
from collections.abc import Callable

from features.controls.choices import Choice, Choices
from features.controls.store import Controls
from serving.background import Background
from serving.shops.waiting_room import WaitingRoom

_LOG = logging.getLogger("vitrine.choices")
_FOLLOWED_S = 0.5


class ShoppersChoices:
    """Of one shop. `of` is a look-up in this process; the rest waits for the store."""

    def __init__(
        self,
        documents: Controls,
        clock: Callable[[], float] = time.time,
        max_waiting: int = 64,
    ) -> None:
        self._choices, self._clock = Choices(documents), clock
        self.of = self._choices.of
        self.follow = self._choices.follow
        self._room = WaitingRoom("choices", 2, max_waiting)
        # What was chosen last goes on while the store is down.
        self._thread = Background(
            "choices", self.follow, _FOLLOWED_S, _LOG, "choices are not followed",
            first_s=_FOLLOWED_S,
        )  # fmt: skip

    def start(self) -> None:
        """Read what was chosen, then follow it; raises when it cannot be read.

        Nobody may be ranked for before: who objects would be known until then.
        """
        self.follow()
        self._thread.start()

    def stop(self) -> None:
        """End the threads."""
        self._room.close()
        self._thread.stop()

    async def change(self, name: str, to: Callable[[Choice], Choice]) -> None:
        """Keep what a user or session chose, as `to` makes of what stands; in force here when it
        returns.

        Raises LogFullError, StoreAwayError, OverloadedError, as all of these, and what `to` does.
        """
        await self._room.do(lambda: self._choices.change(name, to, self._clock()))

    async def told(self, name: str) -> tuple[Choice, float | None]:
        """What is kept, and since when, unix seconds."""
        return await self._room.do(lambda: self._choices.told(name))
