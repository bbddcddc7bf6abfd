"""Events that came before their item: a late feed must not cost an item its first sales.

Such an event is folded at once as far as it needs no item: counts, recency, what was bought. Its
position is held. When the catalogue knows the item, the event is appended to the log once more,
marked as the rest of the first, and ingest meets it in order like any other: once, also through a
crash. Of what waits too long, or of too many, the rest is dropped and counted.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from itertools import islice

from features.controls.shops import DEFAULT_SHOP
from features.events.event import BehaviorEvent
from features.events.held import Held, HeldEvents
from features.events.log import EventLog
from features.telemetry.ingest_metrics import HELD_DROPPED, HELD_EVENTS

_AT_ONCE = 500  # events appended again in one write


class Waiting:
    """The held events of one log, at most `at_most`, each for at most `wait_s`."""

    def __init__(
        self,
        log: EventLog,
        store: HeldEvents,
        at_most: int,
        wait_s: float,
        clock: Callable[[], float],
        shop: str = DEFAULT_SHOP,
    ) -> None:
        self._log, self._store, self._clock = log, store, clock
        self._at_most, self._wait_s, self._shop = at_most, wait_s, shop
        self.reload()

    def reload(self) -> None:
        """Begin again from what is durable."""
        self._held = {held.seq: held for held in self._store.all()}
        self._look = True  # for items that are known by now
        HELD_EVENTS.labels(self._shop).set(len(self._held))

    def __contains__(self, seq: object) -> bool:
        """Whether the event at `seq` is to be folded without its item."""
        return seq in self._held

    def hold(self, events: Sequence[tuple[int, BehaviorEvent]], known: Container[str]) -> None:
        """Hold those of `events` whose item is not `known`, before anything else is written.

        So an event that is read again after a crash is folded without its item again, even if the
        item has come meanwhile.
        """
        now_s = self._clock()
        new = [
            Held(seq, event.item_id, now_s)
            for seq, event in events
            if event.item_id is not None
            and event.item_id not in known
            and event.held_seq is None
            and seq not in self._held
        ]
        if not new:
            return
        self._store.hold(new)
        self._held.update((held.seq, held) for held in new)
        self._drop(list(islice(self._held, max(len(self._held) - self._at_most, 0))), "full")
        HELD_EVENTS.labels(self._shop).set(len(self._held))

    def look_again(self) -> None:
        """The catalogue has changed."""
        self._look = True

    def release(self, known: Container[str], committed: int) -> None:
        """Append the rest of what waited for items that are `known` now, as far as `committed`."""
        if not self._look:
            return
        arrived = [held.seq for held in self._held.values() if held.item_id in known]
        self._look = any(seq > committed for seq in arrived)  # they are being folded still
        ready = [seq for seq in arrived if seq <= committed]
        for start in range(0, len(ready), _AT_ONCE):
            part = ready[start : start + _AT_ONCE]
            rests = [rest for seq in part if (rest := self._rest(seq)) is not None]
            self._log.append(rests)  # a second time, after a crash, they are there already
            self._store.drop(part)
            for seq in part:
                del self._held[seq]
        HELD_EVENTS.labels(self._shop).set(len(self._held))

    def expire(self) -> None:
        """Drop what has waited for too long."""
        before_s = self._clock() - self._wait_s
        self._drop([held.seq for held in self._held.values() if held.held_s < before_s], "expired")
        HELD_EVENTS.labels(self._shop).set(len(self._held))

    def _rest(self, seq: int) -> BehaviorEvent | None:
        entries = self._log.read(seq - 1, 1)
        if not entries or entries[0][0] != seq or not isinstance(entries[0][1], BehaviorEvent):
            HELD_DROPPED.labels(reason="gone").inc()  # erased, or the log keeps less long
            return None
        event = entries[0][1]
        event_id = f"held:{seq}:{event.event_id}"
        return replace(event, event_id=event_id, held_seq=seq, traceparent=None)

    def _drop(self, seqs: Sequence[int], reason: str) -> None:
        if seqs:
            self._store.drop(seqs)
            for seq in seqs:
                del self._held[seq]
            HELD_DROPPED.labels(reason=reason).inc(len(seqs))
