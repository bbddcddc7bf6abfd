"""What logs of others do not say, and training wants: sessions, and which list led to what."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b

from features.datasets.feeds.found import Found
from features.events.event import BehaviorEvent, EventType

SESSION_GAP_S = 1_800.0  # as analytics count: half an hour without an event ends a session
_LED_TO = frozenset({EventType.VIEW, EventType.CLICK, EventType.ADD_TO_CART, EventType.PURCHASE})


def key_of(*parts: object) -> str:
    """A short id that is the same for the same parts, and does not tell them."""
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=12).hexdigest()


def finish(events: Iterable[BehaviorEvent], found: Found) -> None:
    """Sort the events, drop those that stand twice, join them to the lists, and add them."""
    once: dict[str, BehaviorEvent] = {}
    for event in events:
        if event.event_id in once:
            found.skipped["events that stand twice"] += 1
        once.setdefault(event.event_id, event)
    found.events.extend(joined_to_lists(sorted(once.values(), key=lambda event: event.at_s)))


def joined_to_lists(events: Iterable[BehaviorEvent]) -> Iterator[BehaviorEvent]:
    """What follows an impression of its item in the same session gets its ranking and position.

    events: in order of time.
    """
    shown: dict[tuple[str, str], BehaviorEvent] = {}
    for event in events:
        if event.session_id is None or event.item_id is None:
            yield event
            continue
        place = (event.session_id, event.item_id)
        if event.type is EventType.IMPRESSION:
            shown[place] = event
        elif event.type in _LED_TO and event.ranking_id is None and place in shown:
            list_ = shown[place]
            event = replace(event, ranking_id=list_.ranking_id, position=list_.position)
        yield event


class Sessions:
    """Session ids for a log that has none; asked in order of time."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int]] = {}

    def of(self, visitor: str, at_s: float) -> str:
        """The id of the visitor's session at that time."""
        last_s, number = self._last.get(visitor, (at_s, 0))
        number += at_s - last_s > SESSION_GAP_S
        self._last[visitor] = (at_s, number)
        return f"{visitor}-{number}"
