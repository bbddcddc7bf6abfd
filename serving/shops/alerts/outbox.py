"""What waits for a webhook, in the documents of alerts: each is sent until it is taken.

Whoever sends claims the try first, so that replicas do not send the same at once. Not `tenacity`:
its waits would end with the process, and these last for hours.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from features.controls.store import Controls
from serving.shops.alerts.webhook import WebhookError
from serving.telemetry.text_metrics import ALERT_MESSAGES

_LOG = logging.getLogger("vitrine.alerts")
_FIRST_S, _LONGEST_S = 5.0, 3600.0
MOST_TRIES = 20  # the last one after half a day
_AT_ONCE = 8  # of one look


class Sender(Protocol):
    """`webhook.Webhook` is one."""

    def send(self, message_id: str, at_s: int, body: bytes) -> None:
        """Raises WebhookError unless it was taken."""
        ...


def wait_s(tries: int) -> float:
    """After so many that were not taken."""
    return min(_FIRST_S * 2.0 ** (tries - 1), _LONGEST_S)


def deliver(controls: Controls, kind: str, sender: Sender, now_s: float, shop: str) -> None:
    """Try what is due, the oldest of each document first. shop: whose they are"""
    waiting = {key: one for key, one in controls.all(kind).items() if one.get("waiting")}
    due = [key for key, one in waiting.items() if one["waiting"][0]["due_s"] <= now_s]
    for key in due[:_AT_ONCE]:
        document = waiting[key]
        entry = document["waiting"][0]
        tries = entry["tries"] + 1
        claimed = {**entry, "tries": tries, "due_s": now_s + wait_s(tries)}
        held = {**document, "waiting": [claimed, *document["waiting"][1:]]}
        if not controls.swap(kind, key, document, held):
            continue
        error = None
        try:
            sender.send(entry["id"], int(now_s), entry["body"].encode())
        except WebhookError as failed:
            error = str(failed)
        given_up = error is not None and tries >= MOST_TRIES
        outcome = "delivered" if error is None else "given_up" if given_up else "failed"
        ALERT_MESSAGES.labels(shop, outcome).inc()
        if error is not None:
            _LOG.warning("%s: its webhook was tried %d times: %s", key, tries, error)
        delivery = {
            "id": entry["id"], "outcome": outcome, "tries": tries, "error": error,
            "at": datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        _note(controls, kind, key, _with(entry["id"], delivery, done=error is None or given_up))


def _with(
    message_id: str, delivery: Mapping[str, Any], done: bool
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def changed(document: dict[str, Any]) -> dict[str, Any]:
        waiting = [
            entry for entry in document["waiting"] if not (done and entry["id"] == message_id)
        ]
        return {**document, "waiting": waiting, "delivery": dict(delivery)}

    return changed


def _note(
    controls: Controls, kind: str, key: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    while (document := controls.all(kind).get(key)) is not None:
        if controls.swap(kind, key, document, change(document)):
            return
