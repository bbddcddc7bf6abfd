"""After an erasure, nothing of a shopper is found in a whole stack: stores, logs, traces, files.

    python -m loadtests.rights.erasure [--others 50]

Starts a stack that traces every request, and has a planted shopper and others use it: events,
rankings of every kind, choices, a copy. What the shopper alone has (ids, pseudonyms, a query, ids
of events and rankings) is looked for in every file of the state and of the running parts, unpacked
as well, in traces, in metrics and over the API: before the erasure, where a look that finds nothing
would prove nothing; after its receipt; and after the next maintenance. Prints what was found,
writes build/reports/erasure.json, and ends with 1 when something was left.
"""

import argparse
import json
import random
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from features.events.lease import UNSHARED
from features.ingest.opened import opened
from features.ingest.settings import IngestSettings
from loadtests.rights.scan import standing
from loadtests.stack import RunningStack, fresh_state, run_stack
from serving.local.machine import free_port
from serving.local.state_folder import store_for
from serving.local.traces.viewer import TraceViewer
from serving.shops.pseudonyms import Pseudonyms

DATA = "grocery"
USER, GUEST, VISIT = "planted-shopper-7Q", "planted-guest-7Q", "planted-visit-7Q"
QUERY = "zwiebelkuchenrezept"
_ONLINE_S = 60.0  # within which the receipt promises what is online
_DUE_LATER = ("deleted bytes", "other exports", "trained models", "backups")


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.rights.erasure", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--others", type=int, default=50, help="shoppers beside the planted one")
    parser.add_argument("--items", type=int, default=1_000, help="that the shop sells")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/reports/erasure.json"))
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    state = fresh_state(DATA, given.items)
    report: dict[str, Any] = {}
    with TraceViewer() as viewer:
        options = ("--traces", "otlp", "--traces-to", viewer.otlp_url, "--traces-ratio", "1")
        for stack in run_stack(state, free_port(), *options):
            report = proven(stack, viewer, given)
    stopped = standing([state], _needles(stack.folder, report.pop("own")))
    report["states"]["after the stop"] = stopped
    report["failures"] += _left("after the stop", stopped)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    _show(report, console)
    return 0 if report["failures"] == [] else 1


def proven(stack: RunningStack, viewer: TraceViewer, given: argparse.Namespace) -> dict[str, Any]:
    """What was found before and after the receipt, as JSON; `failures` says what should not be."""
    client, rng = stack.client, random.Random(given.seed)
    items = [each["item_id"] for each in client.get("/v1/items?limit=100").json()["items"]]
    for number in range(given.others):
        _use(client, items, rng, f"user-{number}", f"guest-{number}", f"visit-{number}", "milk")
    own = _use(client, items, rng, USER, GUEST, VISIT, QUERY)
    choice = {"hide": [{"item_id": items[0]}], "personal": True, "profiling": True}
    put = client.put(f"/v1/users/{USER}/preferences", json=choice)
    assert put.status_code == 200, put.text
    _folded(client)
    copy = client.get(f"/v1/users/{USER}/export").text
    assert QUERY in copy, "the copy has not what the shopper searched for"
    own |= _named("ranking", _values(copy, "ranking_id"))
    needles = _needles(stack.folder, own)
    folders = [stack.folder.parent, _running_folder(stack)]
    before = {**standing(folders, needles), **_online(client, viewer, needles)}
    asked_s = time.monotonic()
    receipt = client.delete(f"/v1/users/{USER}").json()["receipt"]
    while not _done(client, receipt):
        assert time.monotonic() - asked_s < 2 * _ONLINE_S, "the erasure is not done"
        time.sleep(0.05)
    done_s = time.monotonic() - asked_s
    known, nobody = (
        client.get(f"/v1/users/{user}/features").json() for user in (USER, "never-seen-7Q")
    )
    copied = client.get(f"/v1/users/{USER}/export").text
    time.sleep(2.0)  # spans and records that were under way
    after = _values_only({**standing(folders, needles), **_online(client, viewer, needles)})
    with opened(IngestSettings(store=store_for(stack.folder, None)), UNSHARED, None) as ingest:
        ingest.maintain()  # as the running one does once an hour
    maintained = {**standing(folders, needles), **_online(client, viewer, needles)}
    kinds = ("user's pseud", "guest's pseud", "visit's pseud", "query", "event", "ranking")
    failures = [
        f"before the erasure, no {kind} was found: to find none afterwards proves nothing"
        for kind in kinds
        if not any(name.startswith(kind) for name in before)
    ]
    if done_s > _ONLINE_S:
        failures.append(f"the receipt was fulfilled after {done_s:.0f} s")
    if _without_id(known) != _without_id(nobody):
        failures.append(f"features are told: {known}")
    if '"kind":"event"' in copied or '"kind":"ranking"' in copied:
        failures.append("a copy has events or rankings")
    failures += _left("after the receipt", after) + _left("after the maintenance", maintained)
    states = {"before": before, "after the receipt": after, "after the maintenance": maintained}
    return {
        "needles": len(needles), "states": states, "done_s": round(done_s, 2), "own": own,
        "failures": failures,
    }  # fmt: skip


def _values_only(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without write-ahead logs: bytes in them that no table has are promised later."""
    kept = {name: [path for path in paths if not path.endswith("-wal")]
            for name, paths in found.items()}  # fmt: skip
    return {name: paths for name, paths in kept.items() if paths}


def _left(when: str, found: Mapping[str, list[str]]) -> list[str]:
    return [f"{when}: {name} in {path}" for name, paths in found.items() for path in paths]


def _use(
    client: httpx.Client, items: list[str], rng: random.Random,
    user: str, guest: str, visit: str, query: str,
) -> dict[str, str]:  # fmt: skip
    """A shopper looks around, signs in, buys, and asks for rankings; what is the shopper's own."""
    who = {"user_id": user, "session_id": visit}
    events: list[dict[str, Any]] = [
        {"type": "view", "session_id": guest, "item_id": rng.choice(items)},
        {"type": "view", "session_id": guest, "user_id": user, "item_id": rng.choice(items)},
        {"type": "search", **who, "query": query},
        *(
            {"type": kind, **who, "item_id": rng.choice(items)}
            for kind in ("view", "click", "add_to_cart", "purchase", "hide")
        ),
    ]
    for event in events:
        event["event_id"] = uuid.UUID(int=rng.getrandbits(128)).hex
    told = client.post("/v1/events", json={"events": events}).json()
    assert told["rejected"] == [], told
    asked: dict[str, dict[str, Any]] = {
        "/v1/rank": {"candidates": items[:20], "explain": True},
        "/v1/search": {"query": query},
        "/v1/recommend": {"limit": 10},
        "/v1/pages/home": {},
    }
    for path, body in asked.items():
        answer = client.post(path, json={**body, **who})
        assert answer.status_code == 200, answer.text
    client.get(f"/v1/items/{items[0]}/similar", params=who).raise_for_status()
    client.get("/v1/suggest", params={"q": query[:4], **who})
    return _named("event", [event["event_id"] for event in events])


def _named(kind: str, ids: list[str]) -> dict[str, str]:
    return {f"{kind} {number}": each for number, each in enumerate(ids)}


def _values(copy: str, field: str) -> list[str]:
    """Of a copy's lines that have the field."""
    lines = [json.loads(line) for line in copy.splitlines() if line]
    return sorted({line[field] for line in lines if line.get(field)})


def _needles(folder: Path, own: Mapping[str, str]) -> dict[str, bytes]:
    """What the shopper alone has, by name; pseudonyms as hex digits and as bytes."""
    (key,) = folder.rglob("pseudonym.key")
    pseudonyms = Pseudonyms.from_file(key)
    names = {
        "user's pseudonym": pseudonyms.user(USER),
        "guest's pseudonym": pseudonyms.session(GUEST),
        "visit's pseudonym": pseudonyms.session(VISIT),
    }
    plain = {"user's id": USER, "guest's id": GUEST, "visit's id": VISIT, "query": QUERY, **own}
    found = {name: each.encode() for name, each in plain.items()}
    for name, hex_digits in names.items():
        assert hex_digits is not None
        found |= {name: hex_digits.encode(), f"{name}, packed": bytes.fromhex(hex_digits)}
    return found


def _online(
    client: httpx.Client, viewer: TraceViewer, needles: Mapping[str, bytes]
) -> dict[str, list[str]]:
    """What traces and metrics have of them."""
    spans = [viewer.store.trace(trace_id) for trace_id in viewer.store.trace_ids()]
    assert spans, "there are no traces"
    texts = {"traces": repr(spans).encode(), "metrics": client.get("/metrics").content}
    return {
        f"{name} ({place})": [place]
        for place, text in texts.items()
        for name, needle in needles.items()
        if needle in text
    }


def _running_folder(stack: RunningStack) -> Path:
    """Where the running parts keep what they need for as long as they run."""
    for process in stack.processes():
        line = process.cmdline()
        if "--run" in line:
            return Path(line[line.index("--run") + 1])
    raise AssertionError("no process names the folder")


def _without_id(features: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in features.items() if name != "user_id"}


def _folded(client: httpx.Client) -> None:
    deadline_s = time.monotonic() + _ONLINE_S
    while client.get("/v1/status").json()["events_waiting"]:
        assert time.monotonic() < deadline_s, "events wait"
        time.sleep(0.1)
    time.sleep(2.0)  # rankings and spans are written after their answers


def _done(client: httpx.Client, receipt: str) -> bool:
    """Whether all is done that is not due later."""
    parts = client.get(f"/v1/erasures/{receipt}").json()["parts"]
    return all(each["done"] for each in parts if not each["what"].startswith(_DUE_LATER))


def _show(report: dict[str, Any], console: Console) -> None:
    states: dict[str, dict[str, list[str]]] = report["states"]
    table = Table("files that have it", *states)
    for name in sorted({name for state in states.values() for name in state}):
        table.add_row(name, *(str(len(state.get(name, []))) for state in states.values()))
    console.print(table)
    console.print(f"{report['needles']} needles; receipt fulfilled after {report['done_s']} s")
    for failure in report["failures"]:
        console.print(failure, style="bold red", markup=False)


if __name__ == "__main__":
    sys.exit(main())
