"""Answered rankings to the log, after the answer: training data with the features as ranked."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from features.events.event import EventType, sign_in
from features.events.log import RankingRecord
from serving.ranking.values import Slate
from serving.shops.shop import Shop
from serving.telemetry.metrics import RANKINGS_LOST
from serving.telemetry.stages import context_of, current_traceparent, span_afterwards

_LOG = logging.getLogger("vitrine.recorder")
_BATCH = 200
_TOLD = 50_000  # sign-ins remembered, not to be told with each ranking


class Recorder:
    """A bounded buffer and a thread that empties it; `record` never blocks.

    The bound counts candidates, for they are the memory: 200 bytes of features each.
    """

    def __init__(
        self,
        observe: Callable[[str, list[Slate]], None] = lambda *_: None,
        capacity: int = 500_000,
        interval_s: float = 0.2,
    ) -> None:
        self._observe = observe
        self._buffer: deque[tuple[Shop, Slate, str | None]] = deque()  # and the trace it belongs to
        self._rows = 0
        self._count = threading.Lock()  # held for an addition only
        self._capacity = capacity
        self._interval_s = interval_s
        self._told: set[tuple[str, str]] = set()  # shop, id of a sign-in
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def record(self, shop: Shop, slate: Slate) -> None:
        """Take a slate over; when the log cannot keep up, the ranking goes unrecorded."""
        rows = _rows(slate)
        with self._count:
            fits = self._rows + rows <= self._capacity
            if fits:
                self._rows += rows
                self._buffer.append((shop, slate, current_traceparent()))
        if not fits:
            RANKINGS_LOST.inc()

    def stop(self) -> None:
        """Write what is left and end."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._buffer:
            taken = [self._buffer.popleft() for _ in range(min(_BATCH, len(self._buffer)))]
            slates = [slate for _, slate, _ in taken]
            started_ns = time.time_ns()
            by_shop: dict[str, tuple[Shop, list[Slate]]] = {}
            for shop, slate, _ in taken:
                by_shop.setdefault(shop.name, (shop, []))[1].append(slate)
            for shop, shown in by_shop.values():
                _write(shop, shown)
                self._tell_sign_ins(shop, shown)
                try:
                    self._observe(shop.name, shown)
                except Exception:
                    _LOG.exception("%d rankings were not observed", len(shown))
            with self._count:
                self._rows -= sum(_rows(slate) for slate in slates)
            for _, _, traceparent in taken:
                span_afterwards("ranking.record", context_of(traceparent), started_ns)

    def _tell_sign_ins(self, shop: Shop, slates: list[Slate]) -> None:
        """Tell the log, once, which sessions turned out to be a user's."""
        now_s = time.time()
        found = {}
        for context in (slate.context for slate in slates):
            if context.user_id and context.session_id:
                event = sign_in(context.user_id, context.session_id, now_s)
                if (shop.name, event.event_id) not in self._told:
                    found[event.event_id] = event
        if not found or not shop.reserve.takes(EventType.SIGN_IN):
            return
        try:
            shop.log.append(list(found.values()))
        except Exception:  # the next ranking or event of the session tells it again
            _LOG.exception("%d sign-ins were not told", len(found))
            return
        if len(self._told) + len(found) > _TOLD:
            self._told.clear()  # what is told twice is one event all the same
        self._told.update((shop.name, event_id) for event_id in found)


def _write(shop: Shop, slates: list[Slate]) -> None:
    # A lost record costs a training row; a failed answer would cost a shopper.
    if not shop.reserve.takes_rankings():
        RANKINGS_LOST.inc(len(slates))
        _LOG.warning("%d rankings were not recorded: the store is nearly full", len(slates))
        return
    records = []
    for slate in slates:
        try:
            records.append(_record(slate))
        except Exception:
            RANKINGS_LOST.inc()
            _LOG.exception("a ranking could not be recorded")
    try:
        shop.log.append_rankings(records)
    except Exception:
        RANKINGS_LOST.inc(len(records))
        _LOG.exception("%d rankings were not recorded", len(records))


def _rows(slate: Slate) -> int:
    return max(len(slate.candidates), 1)


def _record(slate: Slate) -> RankingRecord:
    context, item_ids = slate.context, slate.candidates.item_ids
    return RankingRecord(
        ranking_id=context.ranking_id,
        at_s=context.at_s,
        user_id=context.user_id,
        session_id=context.session_id,
        query=context.query,
        route=slate.route.value,
        variant=slate.assignment.variant,
        exposures=slate.assignment.exposures,
        model_version=slate.scores.model_version,
        item_ids=tuple(item_ids[index] for index in slate.order.tolist()),
        scores=slate.scores.values[slate.order],
        propensities=slate.propensity,
        features=slate.features.values[slate.order],
        teams=slate.teams,
        arms=slate.arms,
        model_s=slate.model_s,
        placement=context.placement,
        page_id=context.page_id,
    )
