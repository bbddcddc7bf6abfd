"""Which events of a batch are folded; all are counted."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import replace

from features.controls.choices import Choices
from features.controls.shops import DEFAULT_SHOP
from features.events.event import MAX_AHEAD_S, BehaviorEvent
from features.ingest.status import IngestStatus
from features.telemetry.ingest_metrics import INGESTED, UNKNOWN_ITEMS

LATE_S = 60.0  # an event older than this when it is folded counts as late
Positioned = tuple[int, BehaviorEvent]  # with its position in the log


def accept(
    events: Sequence[Positioned],
    newest_s: float,
    now_s: float,
    known: Container[str],
    status: IngestStatus,
    shop: str = DEFAULT_SHOP,
    choices: Choices | None = None,
) -> tuple[list[Positioned], IngestStatus]:
    """Those of a batch, arrived by `newest_s`, that are folded, and `status` with its counts.

    known: items. The ingress judged the events' times on arrival: whatever it accepted is folded,
    however late that is. One from a far future, which only another writer can have appended, would
    fade all else. choices: who of the shoppers may be learnt from; None: all; the ingress refuses
    others' events, so these came before the choice.
    """
    accepted, outcomes, unknown = [], Counter[str](), 0
    if choices is not None and not all(_may(event, choices) for _, event in events):
        choices.follow()  # before any is dropped: a choice may have been taken back just now
    for seq, event in events:
        if event.at_s - newest_s > MAX_AHEAD_S:
            outcomes["future"] += 1
        elif choices is not None and not _may(event, choices):
            outcomes["objected"] += 1
        else:
            accepted.append((seq, event))
            late = "late" if now_s - event.at_s > LATE_S else "folded"
            outcomes["completed" if event.held_seq is not None else late] += 1
        unknown += event.item_id is not None and event.item_id not in known
    for outcome, count in outcomes.items():
        INGESTED.labels(shop, outcome).inc(count)
    UNKNOWN_ITEMS.inc(unknown)
    return accepted, replace(
        status,
        events_total=status.events_total + len(events),
        late_total=status.late_total + outcomes["late"],
        future_total=status.future_total + outcomes["future"],
        unknown_item_total=status.unknown_item_total + unknown,
    )


def _may(event: BehaviorEvent, choices: Choices) -> bool:
    return choices.of(event.user_id, event.session_id).learnt
