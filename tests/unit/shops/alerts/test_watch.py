"""A shop's alerts while it runs: several replicas, one telling, nothing lost."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from serving.shops.alerts.declared import LabelAlerts
from serving.shops.alerts.outbox import MOST_TRIES, deliver, wait_s
from serving.shops.alerts.watch import ALERTS, Watch
from serving.shops.alerts.webhook import WebhookError
from serving.shops.alerts.windows import HOUR_S, LATE_S
from serving.shops.labels.counting import LabelCounts
from serving.telemetry.text_metrics import ALERT_MESSAGES, LABEL_ALERT_FIRING
from tests.support.fakes import NOW_S, FakeControls

DAY_S = 24 * HOUR_S
MIDNIGHT_S = NOW_S // DAY_S * DAY_S
COMPLAINTS = {"key": "complaints", "classifier": "reviews", "label": "Negative"}
DECLARED = LabelAlerts.model_validate({"false_alarms_a_month": 0.1, "labels": [COMPLAINTS]})


class Clock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class Hook:
    """A `webhook.Webhook` that takes what it is sent, or fails."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.error: str | None = None
        self.tries = 0

    def send(self, message_id: str, at_s: int, body: bytes) -> None:
        self.tries += 1
        if self.error:
            raise WebhookError(self.error)
        self.taken.append((message_id, json.loads(body)))


class Street:
    """A shop whose texts of each day are counted, with replicas that watch it."""

    def __init__(self, declared: LabelAlerts = DECLARED) -> None:
        self.controls, self.hook = FakeControls(), Hook()
        self.clock = Clock(MIDNIGHT_S)
        self.counts = LabelCounts(self.controls)
        self.declared = declared
        self.random = np.random.default_rng(0)

    def replica(self) -> Watch:
        return Watch("main", self.declared, self.controls, self.hook, self.clock)

    def day(self, negative: int | None = None) -> None:
        """One goes by, with so many complaints among 300 texts."""
        many = int(self.random.poisson(100)) if negative is None else negative
        for hour in range(24):
            n = many // 24 + (hour < many % 24)
            at_s = self.clock.now_s + hour * HOUR_S
            labels = [(at_s, "Negative")] * n + [(at_s, "Positive")] * 12
            self.counts.add("reviews", labels)
        self.clock.now_s += DAY_S

    def standing(self) -> dict[str, Any]:
        (told,) = self.replica().told()
        return told


@pytest.fixture
def street() -> Street:
    found = Street()
    for _ in range(12 * 7):
        found.day()
    found.clock.now_s += LATE_S
    return found


def test_until_there_is_history_it_learns() -> None:
    street = Street()
    told = street.standing()
    assert (told["state"], told["learnt"], told["judged"]) == ("learning", 0.0, None)
    for _ in range(8):
        street.day()
    street.clock.now_s += LATE_S
    street.replica().look()
    told = street.standing()
    assert told["state"] == "learning"
    assert 0 < told["learnt"] < 0.2
    assert told["judged"]["expected"] is None


@pytest.mark.parametrize(("a_day", "enough"), [(100, True), (6, False)])
def test_an_alert_with_too_little_to_count_says_so_once(
    a_day: int, enough: bool, caplog: pytest.LogCaptureFixture
) -> None:
    street = Street()
    assert street.standing()["enough"] is None
    for _ in range(12 * 7):
        street.day(int(street.random.poisson(a_day)))
    street.clock.now_s += LATE_S
    replica = street.replica()
    replica.look()
    told = street.standing()
    assert (told["state"], told["enough"]) == ("calm", enough)
    assert (told["found_from"] is not None and told["found_from"] <= 0.5) is enough
    street.day(a_day)
    replica.look()
    warned = [line for line in caplog.messages if "too little for windows of a day" in line]
    assert len(warned) == (0 if enough else 1)


def test_a_rise_is_told_once_by_whichever_replica_is_first(street: Street) -> None:
    replicas = [street.replica() for _ in range(3)]
    for replica in replicas:
        replica.look()
    assert street.standing()["state"] == "calm"
    street.day(160)
    for replica in replicas:
        replica.look()
        replica.tell()
    told = street.standing()
    assert told["state"] == "firing"
    assert told["judged"]["count"] == 160
    assert told["judged"]["expected"] == pytest.approx(100, rel=0.06)
    assert told["waiting"] == 0
    assert told["delivery"]["outcome"] == "delivered"
    ((_, message),) = street.hook.taken
    assert message["type"] == "alert.firing"
    assert message["data"] == {
        "shop": "main", "key": "complaints", "classifier": "reviews", "label": "Negative",
        "window": "day", **told["judged"],
    }  # fmt: skip
    assert LABEL_ALERT_FIRING.labels("main", "complaints")._value.get() == 1


def test_its_end_is_told_as_well(street: Street) -> None:
    replica = street.replica()
    for count in (160, 100, 100):
        street.day(count)
        replica.look()
        replica.tell()
    assert [message["type"] for _, message in street.hook.taken] == [
        "alert.firing", "alert.resolved",
    ]  # fmt: skip
    assert street.standing()["state"] == "calm"
    assert LABEL_ALERT_FIRING.labels("main", "complaints")._value.get() == 0


def test_a_replica_that_starts_while_it_fires_tells_nothing_again(street: Street) -> None:
    street.day(160)
    street.replica().look()
    street.replica().tell()
    street.replica().look()
    street.replica().tell()
    assert len(street.hook.taken) == 1


def test_what_no_webhook_takes_waits_longer_each_time_and_comes_with_one_id(street: Street) -> None:
    street.day(160)
    street.replica().look()
    street.hook.error = "it answered 500"
    for _ in range(2):
        street.replica().tell()
    assert street.hook.tries == 1  # the second was not due
    told = street.standing()
    assert told["waiting"] == 1
    assert told["delivery"] == {**told["delivery"], "outcome": "failed", "error": "it answered 500"}
    street.clock.now_s += wait_s(1)
    street.hook.error = None
    street.replica().tell()
    ((message_id, _),) = street.hook.taken
    assert street.standing()["delivery"] == {
        **told["delivery"], "id": message_id, "outcome": "delivered", "tries": 2, "error": None,
        "at": street.standing()["delivery"]["at"],
    }  # fmt: skip


def test_a_webhook_that_never_answers_is_given_up(street: Street) -> None:
    street.day(160)
    street.replica().look()
    street.hook.error = "TimeoutError"
    for _ in range(MOST_TRIES + 3):
        deliver(street.controls, ALERTS, street.hook, street.clock(), "gives up")
        street.clock.now_s += 3_600
    told = {
        outcome: ALERT_MESSAGES.labels("gives up", outcome)._value.get()
        for outcome in ("delivered", "failed", "given_up")
    }
    assert told == {"delivered": 0, "failed": MOST_TRIES - 1, "given_up": 1}
    assert street.hook.tries == MOST_TRIES
    assert street.standing()["waiting"] == 0
    assert street.standing()["delivery"]["outcome"] == "given_up"


def test_without_a_webhook_nothing_waits(street: Street) -> None:
    street.day(160)
    Watch("main", DECLARED, street.controls, None, street.clock).look()
    told = street.standing()
    assert (told["state"], told["waiting"], told["delivery"]) == ("firing", 0, None)


def test_another_label_under_the_same_key_begins_anew(street: Street) -> None:
    street.day(160)
    street.replica().look()
    street.declared = LabelAlerts.model_validate({"labels": [{**COMPLAINTS, "label": "Positive"}]})
    assert street.standing()["state"] == "learning"
    street.replica().look()
    assert street.standing()["state"] == "calm"


def test_what_waits_is_sent_though_its_alert_is_declared_otherwise(street: Street) -> None:
    street.day(160)
    street.replica().look()
    street.hook.error = "it answered 500"
    street.replica().tell()
    street.declared = LabelAlerts.model_validate({"labels": [{**COMPLAINTS, "label": "Positive"}]})
    for _ in range(2):  # before the other label was judged, and after it
        told = street.standing()
        assert (told["waiting"], told["delivery"]["outcome"]) == (1, "failed")
        street.replica().look()
    street.clock.now_s += wait_s(1)
    street.hook.error = None
    street.replica().tell()
    assert [message["type"] for _, message in street.hook.taken] == ["alert.firing"]
    assert street.standing()["waiting"] == 0


def test_a_store_that_is_away_loses_nothing(street: Street) -> None:
    replica = street.replica()
    street.day(160)
    street.controls.error = OSError("away")
    with pytest.raises(OSError, match="away"):
        replica.look()
    street.controls.error = None
    replica.look()
    assert street.standing()["state"] == "firing"


def test_a_shop_without_alerts_has_no_thread() -> None:
    watch = Watch("main", LabelAlerts(), FakeControls())
    watch.start()
    assert not watch._thread.running
    watch.stop()


@pytest.fixture
def running(street: Street) -> Iterator[Watch]:
    watch = street.replica()
    watch.start()
    yield watch
    watch.stop()


def test_it_ends_when_it_is_stopped(running: Watch) -> None:
    assert running._thread.running
    running.stop()
    assert not running._thread.running


def test_one_of_many_alerts_is_sent_whatever_place_it_has() -> None:
    controls, hook = FakeControls(), Hook()
    for number in range(40):
        controls.put(ALERTS, f"quiet-{number:02}", {"waiting": [], "delivery": None})
    entry = {"id": "m1", "body": "{}", "tries": 0, "due_s": 0.0}
    controls.put(ALERTS, "zebra", {"waiting": [entry], "delivery": None})
    deliver(controls, ALERTS, hook, NOW_S, "main")
    assert [message_id for message_id, _ in hook.taken] == ["m1"]
    assert controls.all(ALERTS)["zebra"]["waiting"] == []
