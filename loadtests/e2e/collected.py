"""What a shop collects: it is trained on, and the chart's load generator makes more of it."""

import json
import time
from functools import partial
from pathlib import Path

from features.catalog.counters import DAY_S
from features.datasets.registry import load
from features.datasets.replay import shift_to_now
from helm.tools.kubernetes import CommandError, Json, ready, until
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import Shop
from loadtests.e2e.traffic import Traffic

# The most bought items are in every demonstration shop of that many or more.
_ITEMS, _SHOPPERS, _DAYS = 500, 200, 140
_IMPORT = """
import json, os, sys, time, urllib.error, urllib.request
lines = sys.stdin.buffer.read().splitlines(keepends=True)
headers = {"authorization": "Bearer " + os.environ["VITRINE_KEY"]}
headers["content-type"] = "application/x-ndjson"
accepted = 0
while lines:
    request = urllib.request.Request(sys.argv[1], b"".join(lines), headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:  # ingest is behind: the rest after a while
        told = json.load(error)["taken"]
        time.sleep(float(error.headers["retry-after"]))
    accepted += told["accepted"]
    lines = lines[told["lines"]:]
print(accepted)
"""
_VERSION = """
import json, os, sys, urllib.request
headers = {"authorization": "Bearer " + os.environ["VITRINE_KEY"]}
headers["content-type"] = "application/json"
body = json.dumps({"query": "milk", "limit": 1, "budget_ms": 5000}).encode()
with urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers)) as answer:
    print(json.load(answer)["model_version"])
"""
# Enough to come through, not to become good; beside what serves, on two cores.
_TRAINING: Json = {
    "enabled": True, "slates": 300, "steps": 10,
    "resources": {
        "requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "3Gi"}
    },
}  # fmt: skip
_TRAINED_S = 900.0
_GENERATOR: Json = {
    "enabled": True, "workers": 1,
    "resources": {
        "requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}
    },
}  # fmt: skip
_REPORT = "/tmp/reports/load.json"
_SWARM = """
import os, sys, urllib.parse, urllib.request
if os.path.exists(sys.argv[1]):
    os.remove(sys.argv[1])
form = urllib.parse.urlencode(dict(part.split("=", 1) for part in sys.argv[2:])).encode()
print(urllib.request.urlopen("http://127.0.0.1:8089/swarm", form).read().decode())
"""
_WORKERS = """
import json, urllib.request
with urllib.request.urlopen("http://127.0.0.1:8089/stats/requests") as answer:
    print(len(json.load(answer)["workers"]))
"""


def retraining(shop: Shop, traffic: Traffic, result: Result) -> None:
    """On purchases that were told to the shop; a running model server takes the version."""
    result.facts["events collected"] = int(_caller(shop, _IMPORT, "/v1/events/import", _history()))
    shop.release.upgrade("--reuse-values", "--set-json", f"training={json.dumps(_TRAINING)}")
    before = _caller(shop, _VERSION, "/v1/search")
    job = shop.begin_job("training")

    def change() -> None:
        until(lambda: _ended(shop, job) != "", "the training ends", _TRAINED_S, 3.0)

    span = watched(result, "retraining", change, by_the_model=0.9)
    said = shop.space.kubectl("logs", f"job/{job}", "--tail=-1").strip().splitlines()
    after = _caller(shop, _VERSION, "/v1/search")
    result.facts["it took, s"] = span.seconds
    result.facts["it said"] = said[-1] if said else ""
    result.facts["version before and after"] = f"{before}, {after}"
    if _ended(shop, job) == "Complete":
        result.expect(after != before and f"ranker {after} is in use" in said[-1], said[-1])
        shop.run_job("rollback")
    else:
        # Where the gate refuses, that is an answer as well; anything else is a bar missed.
        result.expect("error: " in said[-1] and " < " in said[-1], said[-1])
        result.expect(after == before, f"version {after} instead of {before} is in use")


def generated_load(shop: Shop, traffic: Traffic, result: Result) -> None:
    """The chart's load generator: what holds passes its gates, and what cannot hold does not."""
    shop.release.upgrade("--reuse-values", "--set-json", f"loadtest={json.dumps(_GENERATOR)}")

    def change() -> None:
        connected = partial(_generator, shop, _WORKERS)
        until(lambda: connected().strip() == "1", "the generator's worker", 200, 2.0)
        for name, options, holds in (
            ("10 requests a second", ("p99_ms=1000",), True),
            ("the same within a millisecond", ("p99_ms=1",), False),
        ):
            report = _generated(shop, "rate=10", "seconds=20", *options)
            whole = report["whole"]
            result.facts[name] = "passed" if report["passed"] else "; ".join(report["broken"])
            result.facts[f"{name}: requests, p99 ms"] = f"{whole['asked']}, {whole['p99_ms']}"
            result.expect(report["passed"] == holds, f"{name}: {result.facts[name]}")

    try:
        watched(result, "the chart's load generator", change)
    finally:
        shop.release.upgrade("--reuse-values", "--set", "loadtest.enabled=false")


def _history() -> str:
    """Purchases of some shoppers in their last months, a line each, as an import takes them."""
    data = shift_to_now(load("grocery", Path("build/data"), _ITEMS), time.time())
    events = data.events[data.events["at"] > data.events["at"].iloc[-1] - _DAYS * DAY_S]
    some = sorted(events["user_id"].unique())[:_SHOPPERS]
    lines = []
    for number, row in enumerate(events[events["user_id"].isin(some)].to_dict("records")):
        event = {
            "event_id": f"history-{number}", "type": row["type"], "item_id": row["item_id"],
            "user_id": f"history-{row['user_id']}",
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["at"])),
        }  # fmt: skip
        lines.append(json.dumps(event))
    return "\n".join(lines)


def _caller(shop: Shop, script: str, path: str, given: str = "") -> str:
    """What a script says in the caller's pod."""
    command = ["python", "-c", script, shop.url + path]
    return shop.callers.kubectl("exec", "-i", "caller", "--", *command, given=given).strip()


def _ended(shop: Shop, job: str) -> str:
    """Complete, Failed, or nothing yet."""
    status = json.loads(shop.space.kubectl("get", "job", job, "-o", "json"))["status"]
    true = [each["type"] for each in status.get("conditions", []) if each["status"] == "True"]
    return next((each for each in ("Complete", "Failed") if each in true), "")


def _generator(shop: Shop, script: str, *arguments: str) -> str:
    """What a script says in the pod of the generator's master."""
    masters = [
        pod["metadata"]["name"]
        for pod in shop.space.pods("loadtest")
        if pod["metadata"]["labels"]["vitrine/role"] == "master" and ready(pod)
    ]
    if not masters:
        raise CommandError("the generator's master is not ready")
    command = ["exec", masters[0], "-c", "locust", "--", "python", "-c", script, *arguments]
    return shop.space.kubectl(*command)


def _generated(shop: Shop, *options: str) -> Json:
    """The report of a run, as the master wrote it."""
    # Of the few rankings of a short run one by rules is more than a hundredth.
    form = ("user_count=1", "spawn_rate=1", "shape=steady", "fallback_share=0.05", *options)
    started = json.loads(_generator(shop, _SWARM, _REPORT, *form))
    if not started["success"]:
        raise CommandError(started["message"])
    script = f"print(open({_REPORT!r}).read())"
    told: list[str] = []

    def over() -> bool:
        told[:] = [_generator(shop, script)]
        return True

    until(over, "the generator's report", 120, 3.0)
    found: Json = json.loads(told[0])
    return found
