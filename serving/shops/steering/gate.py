"""Whether a shadow has shown enough for its version to be tried on shoppers.

What it has shown is a document that replicas add to. It counts up to what the gate asks for: then
it has passed, or it begins anew.
"""

from collections.abc import Mapping
from typing import Any

from features.controls.store import Controls
from serving.shops.experiments import Experiment
from serving.shops.steering.policy import Gate
from serving.shops.steering.tally import COMPARED, FAILED, OVERLAP, tried

GATES = "gate"  # the kind of the documents


def passed(experiment: Experiment, document: Mapping[str, Any] | None) -> bool:
    """Whether the version that the shadow declares has passed."""
    return (
        document is not None
        and document["version"] == experiment.arms[0].model_version
        and document["passed_at"] is not None
    )


def show(
    controls: Controls,
    experiment: Experiment,
    gate: Gate,
    counts: Mapping[str, float],
    at: str,
) -> dict[str, Any] | None:
    """Add a replica's counts (tally.py) to what a shadow has shown; None when it had passed."""
    new = tried(counts)
    while True:
        before = controls.all(GATES).get(experiment.key)
        if passed(experiment, before):
            return None
        after = _added(experiment, gate, before, new, at)
        if controls.swap(GATES, experiment.key, before, after):
            return after


def _added(
    experiment: Experiment,
    gate: Gate,
    before: Mapping[str, Any] | None,
    new: Mapping[str, float],
    at: str,
) -> dict[str, Any]:
    version = experiment.arms[0].model_version
    if before is None or before["version"] != version:
        before = {COMPARED: 0.0, FAILED: 0.0, OVERLAP: 0.0, "rounds": 0, "last": None}
    shown = {name: before[name] + new[name] for name in (COMPARED, FAILED, OVERLAP)}
    compared, failed = shown[COMPARED], shown[FAILED]
    document = {
        "version": version, **shown, "rounds": before["rounds"], "last": before["last"],
        "passed_at": None,
    }  # fmt: skip
    if compared + failed < gate.compared:
        return document
    share, overlap = failed / (compared + failed), shown[OVERLAP] / max(compared, 1.0)
    if compared >= gate.compared and share <= gate.failed and overlap >= gate.overlap:
        return {**document, "passed_at": at}
    if share <= gate.failed and overlap >= gate.overlap:
        return document  # a few more: those that failed are not compared
    last = {"at": at, "failed": round(share, 4), "overlap": round(overlap, 4)}
    nothing = {COMPARED: 0.0, FAILED: 0.0, OVERLAP: 0.0}
    return {**document, **nothing, "rounds": before["rounds"] + 1, "last": last}


def told(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a shadow has shown, for people."""
    compared = document[COMPARED]
    overlap = round(document[OVERLAP] / compared, 4) if compared else None
    return {
        **document, COMPARED: int(compared), FAILED: int(document[FAILED]), OVERLAP: overlap,
    }  # fmt: skip
