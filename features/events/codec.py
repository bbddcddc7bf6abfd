"""What every store of events derives from the one declaration of their fields, BehaviorEvent.

A new field of the event needs no change here: tables get a column for it, records an entry, and a
record that was written before it existed is read with the field's default.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from operator import attrgetter
from types import NoneType
from typing import Any, get_args, get_type_hints

from features.events.event import TRANSPORT, BehaviorEvent, EventType
from features.events.log import ERASURE, Erasure


@dataclass(frozen=True, slots=True)
class EventField:
    """One field of BehaviorEvent, as a column has to know it."""

    name: str
    kind: type  # EventType, str, int or float, whether or not None is allowed too
    required: bool
    behavior: bool  # False: it travels with the event and is none of what the shopper did


def _event_fields() -> tuple[EventField, ...]:
    hints = get_type_hints(BehaviorEvent)
    event_fields = []
    for declared in fields(BehaviorEvent):
        (kind,) = set(get_args(hints[declared.name]) or (hints[declared.name],)) - {NoneType}
        required, behavior = declared.default is MISSING, TRANSPORT not in declared.metadata
        event_fields.append(EventField(declared.name, kind, required, behavior))
    return tuple(event_fields)


EVENT_FIELDS = _event_fields()  # in the order of the constructor's parameters
FIELD_NAMES = tuple(field.name for field in EVENT_FIELDS)
TYPE_PLACE = FIELD_NAMES.index("type")

# As a tuple in the order of FIELD_NAMES, the type as plain text.
event_values = attrgetter(*("type.value" if name == "type" else name for name in FIELD_NAMES))


def event_record(event: BehaviorEvent) -> dict[str, Any]:
    """Field name -> value, the type as plain text."""
    return dict(zip(FIELD_NAMES, event_values(event), strict=True))


def event_of(record: Mapping[str, Any]) -> BehaviorEvent:
    """The event of a mapping of its fields; a field that is missing has its default.

    Raises TypeError for a name that is no field, ValueError for a type that is no EventType.
    """
    return BehaviorEvent(**{**record, "type": EventType(record["type"])})


def erasure_record(erasure: Erasure) -> dict[str, Any]:
    """What a store keeps of an erasure."""
    return {
        "type": ERASURE, "user_id": erasure.user_id, "sessions": erasure.session_ids,
        "since_s": erasure.since_s, "named": erasure.named,
    }  # fmt: skip


def erasure_of(record: Mapping[str, Any]) -> Erasure:
    """The erasure of such a record; one of an earlier version may lack what it did not know."""
    named = tuple((session, at_s, own) for session, at_s, own in record.get("named", ()))
    sessions = tuple(record["sessions"])
    return Erasure(record["user_id"], sessions, record.get("since_s"), named)
