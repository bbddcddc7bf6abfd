"""From the wire to the log: each entry of a batch is judged alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from features.events.codec import event_of
from features.events.event import MAX_AHEAD_S, BehaviorEvent
from serving.http.problems import first_problem
from serving.http.schemas.events import EventIn
from serving.shops.shop import Shop

OBJECTED = "objected"  # the code of an event whose shopper may not be learnt from


class RefusedError(Exception):
    """An event that is not taken: code, detail."""


@dataclass(slots=True)
class JudgedEvents:
    """The good entries with their numbers, in order, and (code, detail) of the others by theirs."""

    events: list[BehaviorEvent] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    refused: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def objected(self) -> int:
        """How many of the refused are good, and of shoppers who may not be learnt from."""
        return sum(code == OBJECTED for code, _ in self.refused.values())


def judge_events(
    entries: Iterable[tuple[int, bytes]], keep: Callable[[EventIn], BehaviorEvent]
) -> JudgedEvents:
    """Validate numbered entries, as JSON; it takes time, and may be done in a thread.

    keep: makes what is kept of an event, or raises RefusedError
    """
    judged = JudgedEvents()
    for number, entry in entries:
        try:
            judged.events.append(keep(EventIn.model_validate_json(entry)))
            judged.numbers.append(number)
        except ValidationError as error:
            judged.refused[number] = ("invalid_event", first_problem(error))
        except RefusedError as error:
            judged.refused[number] = (error.args[0], error.args[1])
    return judged


def kept(event: EventIn, shop: Shop, now_s: float) -> BehaviorEvent:
    """The event as it is kept: fields of one name are the same, ids become pseudonyms.

    Raises RefusedError for one of the future, or of a shopper of whom nothing may be learnt.
    """
    user_id, session_id = ids = shop.pseudonyms.both(event.user_id, event.session_id)
    if event.consent is False:
        raise RefusedError(OBJECTED, "consent: the shopper has not agreed")
    if not shop.choices.of(*ids).learnt:
        raise RefusedError(
            OBJECTED, "user_id or session_id: nothing is to be learnt of the shopper"
        )
    at_s = now_s if event.at is None else event.at.timestamp()
    if at_s > now_s + MAX_AHEAD_S:
        raise RefusedError("event_in_future", f"at: more than {MAX_AHEAD_S:.0f} s from now")
    fields = dict(event)
    del fields["at"]
    fields["user_id"], fields["session_id"] = user_id, session_id
    fields["consent"] = event.consent and 1
    return event_of({**fields, "at_s": min(at_s, now_s)})
