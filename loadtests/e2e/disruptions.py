"""Nothing, losses of every kind, and growth, under load."""

import time

from helm.tools.kubernetes import CommandError, Json, ready, until
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import Shop, now, seconds_to_ready
from loadtests.e2e.traffic import Traffic

_TARGET = "serving.settings.deployments.ingress.target_ongoing_requests=2"


def steady(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Nothing happens: what the others are compared with."""
    phase = watched(shop, traffic, result, "steady", lambda: time.sleep(20))
    result.facts["by the model"] = phase.routes["model"]
    result.expect(phase.routes["model"] > 0.9 * phase.sent, "the model does not rank")


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


def deletions(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Each other part's pod."""
    for part in ("head", "model-server", "ingest", "redis"):

        def change(part: str = part) -> None:
            _delete(shop, next(pod for pod in shop.space.pods(part) if ready(pod)))
            shop.wait_settled()

        watched(shop, traffic, result, f"deletion: {part}", change)


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
