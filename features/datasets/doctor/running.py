"""A running stack, asked over HTTP whether it is well."""

from collections.abc import Iterator
from typing import Any

import requests

from features.datasets.doctor.findings import Finding, Severity

_PATIENCE_S = 10.0
_BEHIND = 1_000  # events: more than a moment's


def check_stack(url: str, key: str) -> Iterator[Finding]:
    """Findings of the stack at `url`, asked with a key of scope `rank`."""
    for path in ("/readyz", "/v1/status"):
        try:
            answer = requests.get(
                url.rstrip("/") + path,
                headers={"Authorization": f"Bearer {key}"},
                timeout=_PATIENCE_S,
            )
            told = answer.json()
        except (requests.RequestException, ValueError) as error:
            yield Finding(Severity.SEVERE, f"{path} does not answer", 1, 1, type(error).__name__)
            return
        if not answer.ok:
            what = f"{path} answers {answer.status_code}"
            yield Finding(
                Severity.SEVERE, what, 1, 1, str(told.get("detail") or told.get("status"))
            )
        elif path == "/v1/status":
            yield from _status(told)


def _status(told: dict[str, Any]) -> Iterator[Finding]:
    for part, field in (("features", "features_answer"), ("the model", "model_answers")):
        if not told.get(field):
            yield Finding(Severity.SEVERE, f"{part}: no answer, so rules rank", 1, 1)
    if not told.get("catalog_items"):
        yield Finding(Severity.SEVERE, "the running catalogue is empty", 0, 0)
    if waiting := told.get("events_waiting"):
        logged = int(told.get("events_logged") or waiting)
        severity = Severity.WARNING if waiting > _BEHIND else Severity.NOTE
        yield Finding(severity, "events that wait for ingest", int(waiting), logged)
