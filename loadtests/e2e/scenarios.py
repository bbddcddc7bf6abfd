"""What is done to an installed shop, one after another. Each says its facts and its phases.

The order matters: a scenario begins where the one before left the release.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from helm.tools.kubernetes import CommandError, Json, ready, until
from loadtests.e2e.shop import Shop, now, seconds_to_ready
from loadtests.e2e.traffic import Phase, Traffic

SETTLE_S = 20.0


@dataclass(slots=True)
class Result:
    """Of one scenario."""

    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    phases: list[Phase] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # bars

    def expect(self, true: bool, said: str) -> None:
        """A bar."""
        if not true:
            self.missed.append(said)


Scenario = Callable[[Shop, Traffic, Result], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Register it under its name."""
    SCENARIOS[function.__name__] = function
    return function


def watched(
    shop: Shop, traffic: Traffic, result: Result, name: str, change: Callable[[], object]
) -> Phase:
    """Make a change that is over when it returns, under load; nothing may fail."""
    began_s = now()
    change()
    time.sleep(SETTLE_S)
    phase = traffic.phase(name, began_s)
    result.phases.append(phase)
    result.expect(phase.clean, f"{name}: {dict(phase.failed + phase.rejected)}, "
                               f"{phase.hanging} hanging")  # fmt: skip
    return phase


@scenario
def steady(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Nothing happens: what the others are compared with."""
    phase = watched(shop, traffic, result, "steady", lambda: time.sleep(20))
    result.facts["by the model"] = phase.routes["model"]
    result.expect(phase.routes["model"] > 0.9 * phase.sent, "the model does not rank")


@scenario
def drain_the_only_worker(shop: Shop, traffic: Traffic, result: Result) -> None:
    """A graceful deletion, as a drained node or a spot notice makes it."""
    (pod,) = shop.workers()

    def change() -> None:
        _delete(shop, pod)
        shop.wait_settled()

    watched(shop, traffic, result, "drain of the only worker", change)
    nodes = shop.workers()
    result.facts["new worker ready, s"] = min(map(seconds_to_ready, nodes))
    result.facts["workers afterwards"] = len(nodes)
    result.expect(len(nodes) == 1, "a node more than needed")


@scenario
def upgrades(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Rules, settings and numbers of nodes, by Helm 4 and 3 in turns; then back three times."""
    changes = [
        ("rules", ["--set", "rules.diversity.depth=19"], True),
        ("settings", ["--set-json", "serving.settings.pipeline.default_budget_s=0.45"], False),
        ("nodes", ["--set", "serving.workers.maxReplicas=3"], True),
        ("rules again", ["--set", "rules.diversity.depth=18"], True),
    ]
    helms = ["helm", "helm3"]
    for number, (name, options, rolls) in enumerate(changes):
        helm = helms[number % 2]

        def change(options: list[str] = options, helm: str = helm, rolls: bool = rolls) -> None:
            before = shop.active()
            shop.release.upgrade("--reuse-values", *options, helm=helm)
            _rolled(shop, before, rolls)

        phase = watched(shop, traffic, result, f"upgrade: {name} ({helm})", change)
        result.facts[f"{phase.name}, s"] = phase.seconds


@scenario
def rollbacks(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Each goes one revision back from where the upgrades ended."""
    history = json.loads(shop.release.history())
    for target in range(len(history) - 1, max(len(history) - 4, 0), -1):

        def change(target: int = target) -> None:
            before = shop.active()
            shop.release.rollback(str(target))
            time.sleep(10)
            rolls = len(shop.space.get("raycluster")) > 1 or shop.active() != before
            _rolled(shop, before, rolls)

        watched(shop, traffic, result, f"rollback to revision {target}", change)


@scenario
def a_bad_image_and_back(shop: Shop, traffic: Traffic, result: Result) -> None:
    """It never starts: the old nodes answer and events are folded, until it is taken back."""
    before = shop.active()

    def bad() -> None:
        shop.release.upgrade("--reuse-values", "--set", "images.serving.tag=no-such-image")
        time.sleep(60)
        folding = [pod for pod in shop.space.pods("ingest") if ready(pod)]
        result.expect(bool(folding), "ingest is gone while the image waits")
        result.expect(shop.active() == before, "the cluster was switched")

    watched(shop, traffic, result, "a bad image waits", bad)

    def back() -> None:
        shop.release.rollback()
        shop.wait_settled()

    watched(shop, traffic, result, "and is taken back", back)
    result.expect(shop.active() == before, "rollback started another cluster")
    result.facts["same cluster after rollback"] = shop.active() == before


@scenario
def deletions(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Each other part's pod."""
    for part in ("head", "model-server", "ingest", "redis"):

        def change(part: str = part) -> None:
            _delete(shop, next(pod for pod in shop.space.pods(part) if ready(pod)))
            shop.wait_settled()

        watched(shop, traffic, result, f"deletion: {part}", change)


@scenario
def redis_gone(shop: Shop, traffic: Traffic, result: Result) -> None:
    """For two minutes; rules rank meanwhile."""

    def change() -> None:
        shop.space.kubectl("scale", "statefulset/vitrine-redis", "--replicas=0")
        time.sleep(120)
        shop.space.kubectl("scale", "statefulset/vitrine-redis", "--replicas=1")
        shop.wait_settled()

    watched(shop, traffic, result, "Redis gone for 2 minutes", change)
    restarts = [_restarts(pod) for pod in shop.space.pods("head")]
    result.facts["restarts of the head"] = sum(restarts)


@scenario
def publish_and_roll_back(shop: Shop, traffic: Traffic, result: Result) -> None:
    """A model version, by the chart's own jobs."""
    (ingest,) = (pod["metadata"]["name"] for pod in shop.space.pods("ingest") if ready(pod))
    shop.space.kubectl("cp", "serving/training/bundles/grocery", f"{ingest}:/shared/bundle")
    for name in ("publish", "rollback"):

        def change(name: str = name) -> None:
            job = f"{name}-{int(now())}"
            shop.space.kubectl("create", "job", job, f"--from=cronjob/vitrine-{name}")
            shop.space.kubectl("wait", "--for=condition=complete", f"job/{job}", "--timeout=300s")
            result.facts[name] = shop.space.kubectl("logs", f"job/{job}").strip()

        watched(shop, traffic, result, name, change)


@scenario
def policies(shop: Shop, traffic: Traffic, result: Result) -> None:
    """A stranger's pod reaches the service and nothing else."""
    targets = {
        "vitrine:8000": True, "vitrine-redis:6379": False, "vitrine-model-server:8000": False,
        "vitrine-model-server:8001": False, "vitrine-head-svc:8265": False,
        "vitrine-head-svc:6379": False,
    }  # fmt: skip
    for target, allowed in targets.items():
        host, _, port = target.partition(":")
        reached = _reached(shop, f"{host}.{shop.space.name}", int(port))
        result.facts[target] = "reached" if reached else "denied"
        result.expect(reached == allowed, f"{target} is {result.facts[target]}")


@scenario
def grow_and_shrink(shop: Shop, traffic: Traffic, result: Result) -> None:
    """More load than one node takes, then as before."""
    shop.release.upgrade("--reuse-values", "--set", _TARGET)
    began_s = now()
    seen = {"nodes": 1}

    def more() -> bool:
        seen["nodes"] = max(seen["nodes"], len(shop.workers()))
        return seen["nodes"] > 1

    busy = shop.traffic(rate=60)
    busy.name = "crowd"
    busy.start(150)
    result.facts["second node ready, s"] = round(until(more, "a second node", 200, 1.0))
    until(lambda: now() > began_s + 200, "the crowd has gone", 300)
    took = until(lambda: len(shop.workers()) == 1, "one node again", 600, 2.0)
    result.facts["one node again, s"] = round(took)
    phase = traffic.phase("growth and shrinking", began_s)
    result.phases.append(phase)
    result.expect(not phase.failed, f"{dict(phase.failed)}")


_TARGET = "serving.settings.deployments.ingress.target_ongoing_requests=2"


def _rolled(shop: Shop, before: str, rolls: bool) -> None:
    if rolls:
        shop.wait_upgraded(before)
    else:
        time.sleep(30)
        shop.wait_settled()


def _delete(shop: Shop, pod: Json) -> None:
    name = pod["metadata"]["name"]
    shop.space.kubectl("delete", "pod", name, "--wait=false")
    until(
        lambda: name not in [each["metadata"]["name"] for each in shop.space.get("pods")],
        f"{name} is gone",
        300,
    )


def _restarts(pod: Json) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", []))


def _reached(shop: Shop, host: str, port: int) -> bool:
    """From a pod of another namespace: the caller's."""
    code = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
    try:
        shop.callers.kubectl("exec", "caller", "--", "python", "-c", code)
    except CommandError:
        return False
    return True


def chosen(names: list[str]) -> Iterator[tuple[str, Scenario]]:
    """The scenarios of these names, all when there are none."""
    for name, function in SCENARIOS.items():
        if not names or name in names:
            yield name, function
