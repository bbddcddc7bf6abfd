"""One replica's part in a shop's alerts: it judges windows that are over, and tells what changed.

All replicas look. The one that is first writes a document of each alert, and what it has to tell
waits there until a webhook has taken it: a replica that ends loses nothing, and what is told twice
has the same id.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import orjson

from features.controls.store import Controls
from serving.background import Background
from serving.shops.alerts.baseline import Window
from serving.shops.alerts.declared import LabelAlert, LabelAlerts
from serving.shops.alerts.judging import Criterion, Judge, State, Verdict
from serving.shops.alerts.outbox import Sender, deliver
from serving.shops.alerts.windows import HISTORY_HOURS, HOUR_S, LATE_S, Counted, closed
from serving.shops.labels.counting import LabelCounts
from serving.telemetry.text_metrics import LABEL_ALERT_FIRING, begin_alert_messages

_LOG = logging.getLogger("vitrine.alerts")
ALERTS = "alert"  # documents, by key
_EVERY_S = 10.0
_MOST_WAITING = 16  # of one alert
_HALF = 0.5  # the rise that an alert should see: half as much again


class _Followed:
    """An alert as this process has followed it."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.looked = -1  # the hour in which the counts were read last
        self.last: Counted | None = None
        self.verdict: Verdict | None = None


class Watch:
    """Of one shop. webhook: None: alerts are told by metric and `GET /v1/alerts` alone."""

    def __init__(
        self,
        shop: str,
        declared: LabelAlerts,
        controls: Controls,
        webhook: Sender | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._shop = shop
        self._declared = declared
        self._controls = controls
        self._counts = LabelCounts(controls)
        self._webhook = webhook
        self._clock = clock
        self._zone = ZoneInfo(declared.time_zone)
        if webhook is not None:
            begin_alert_messages(shop)
        self._followed: dict[str, _Followed] = {}
        # Replicas begin at different times, so that they do not all judge at once.
        self._thread = Background(
            "alerts", self._turn, _EVERY_S, _LOG, "alerts are not judged",
            first_s=random.uniform(0, _EVERY_S),
        )  # fmt: skip

    def start(self) -> None:
        """Look from now on; a shop that declares nothing has no thread."""
        if self._declared.labels:
            self._thread.start()

    def stop(self) -> None:
        """End."""
        self._thread.stop()
        for key in self._followed:
            LABEL_ALERT_FIRING.labels(self._shop, key).set(0)

    def look(self) -> None:
        """Judge the windows that are over."""
        documents = self._controls.all(ALERTS)
        for alert in self._declared.labels:
            self._judge(alert, documents.get(alert.key))

    def tell(self) -> None:
        """Send what waits for the webhook."""
        if self._webhook is not None:
            deliver(self._controls, ALERTS, self._webhook, self._clock(), self._shop)

    def told(self) -> list[dict[str, Any]]:
        """Each declared alert, and how it stands; blocks."""
        documents = self._controls.all(ALERTS)
        told = []
        for alert in self._declared.labels:
            document = documents.get(alert.key)
            stands = _stands(document if document and document["of"] == _of(alert) else None)
            if document is not None:  # also what an alert of before, of this key, has told
                stands["waiting"] = len(document["waiting"])
                stands["delivery"] = document["delivery"]
            told.append({"key": alert.key, **_of(alert), "rise": alert.rise, **stands})
        return told

    def _judge(self, alert: LabelAlert, before: Mapping[str, Any] | None) -> None:
        followed = self._followed.get(alert.key)
        if followed is None:
            followed = _Followed(Judge(criterion(self._declared, alert)))
            self._followed[alert.key] = followed
        hour = int((self._clock() - LATE_S) // HOUR_S)
        if hour != followed.looked:
            self._see(alert, followed, hour)
            followed.looked = hour
        if before is not None and before["of"] != _of(alert):
            # Declared otherwise: it begins anew, but what has to be told is still to be told.
            started: Mapping[str, Any] = {name: before[name] for name in ("waiting", "delivery")}
        else:
            started = before or {}
        last, verdict = followed.last, followed.verdict
        if last is None or verdict is None:
            return
        if last.first > started.get("window", -1):
            document = self._document(alert, followed, last, verdict, started)
            if not self._controls.swap(ALERTS, alert.key, before, document):
                return  # another replica was first: it is read the next time
            if document["state"] != started.get("state"):
                _LOG.warning("%s: %s", alert.key, document["state"])
            if _enough(document) is False and _enough(started) is None:
                _LOG.warning("%s: too little for windows of a %s: many rises by half are missed",
                             alert.key, alert.window)  # fmt: skip
            started = document
        LABEL_ALERT_FIRING.labels(self._shop, alert.key).set(
            float(started["state"] == State.FIRING)
        )

    def _see(self, alert: LabelAlert, followed: _Followed, hour: int) -> None:
        window = Window(alert.window)
        hours = self._counts.read(alert.classifier, hour - HISTORY_HOURS[window])
        for counted in closed(hours, alert.label, window, self._zone, self._clock()):
            if followed.last is None or counted.first > followed.last.first:
                followed.verdict = followed.judge.see(counted.slot, counted.count, counted.texts)
                followed.last = counted

    def _document(
        self,
        alert: LabelAlert,
        followed: _Followed,
        last: Counted,
        verdict: Verdict,
        before: Mapping[str, Any],
    ) -> dict[str, Any]:
        now = self._at()
        fires = verdict.state is State.FIRING
        changed = fires != (before.get("state") == State.FIRING)
        same = verdict.state == before.get("state")
        document: dict[str, Any] = {
            "of": _of(alert),
            "window": last.first,
            "state": verdict.state.value,
            "since": before["since"] if same else now,
            "judged": {
                "begins_at": _iso(last.first * HOUR_S),
                "hours": last.hours,
                "count": int(last.count),
                "expected": verdict.expected,
                "chance": verdict.chance,
            },
            "learnt": round(followed.judge.learnt, 3),
            "found_from": followed.judge.found_from(last.slot),
            "waiting": list(before.get("waiting", [])),
            "delivery": before.get("delivery"),
        }
        if changed and self._webhook is not None:
            message = {
                "type": f"alert.{'firing' if fires else 'resolved'}",
                "timestamp": now,
                "data": {"shop": self._shop, "key": alert.key, **_of(alert), **document["judged"]},
            }
            entry = {"id": uuid4().hex, "body": orjson.dumps(message).decode(), "tries": 0,
                     "due_s": 0.0}  # fmt: skip
            document["waiting"] = [*document["waiting"], entry][-_MOST_WAITING:]
        return document

    def _at(self) -> str:
        return _iso(self._clock())

    def _turn(self) -> None:
        self.look()
        self.tell()


def criterion(declared: LabelAlerts, alert: LabelAlert) -> Criterion:
    """What makes a window of one of them a rise: all share the false alarms that are allowed."""
    window, budget = Window(alert.window), declared.false_alarms_a_month
    return Criterion.of(window, budget, len(declared.labels), alert.rise)


def _of(alert: LabelAlert) -> dict[str, str]:
    return {"classifier": alert.classifier, "label": alert.label, "window": alert.window}


def _stands(document: Mapping[str, Any] | None) -> dict[str, Any]:
    if document is None:
        return {
            "state": State.LEARNING.value, "since": None, "judged": None, "learnt": 0.0,
            "found_from": None, "enough": None, "waiting": 0, "delivery": None,
        }  # fmt: skip
    told = ("state", "since", "judged", "learnt", "found_from")
    return {
        "waiting": 0, "delivery": None, **{name: document[name] for name in told},
        "enough": _enough(document),
    }  # fmt: skip


def _enough(document: Mapping[str, Any]) -> bool | None:
    """Whether a rise by half is found; None while it learns."""
    if document.get("state", State.LEARNING) == State.LEARNING:
        return None
    found_from = document["found_from"]  # null: not even twenty times as much
    return found_from is not None and found_from <= _HALF


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
