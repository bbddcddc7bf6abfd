"""Nothing, and losses of every kind, under load."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from helm.tools.kubernetes import CommandError, Json, ready, until
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import Shop, seconds_to_ready
from loadtests.e2e.traffic import Traffic


def steady(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Nothing happens: what the others are compared with."""
    watched(result, "steady", lambda: time.sleep(20), by_the_model=0.9)


def drain_the_only_worker(shop: Shop, traffic: Traffic, result: Result) -> None:
    """A graceful deletion, as a drained node or a spot notice makes it."""
    (pod,) = shop.workers()
    watched(result, "drain of the only worker", lambda: lose(shop, pod), by_the_model=0.9)
    nodes = shop.workers()
    result.facts["new worker ready, s"] = min(map(seconds_to_ready, nodes))
    result.facts["workers afterwards"] = len(nodes)
    result.expect(len(nodes) == 1, "a node more than needed")


def drain_one_of_two(shop: Shop, traffic: Traffic, result: Result) -> None:
    """As before, where another node has all that is needed."""
    pod, *others = shop.workers()
    result.expect(len(others) == 1, f"{1 + len(others)} workers, not two")
    span = watched(result, "drain of one of two workers", lambda: lose(shop, pod), by_the_model=0.9)
    result.facts["two again, s"] = span.seconds


def deletions(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Each other part's pod."""
    for part in ("head", "model-server", "ingest", "redis"):
        pod = next(pod for pod in shop.space.pods(part) if ready(pod))
        watched(result, f"deletion: {part}", partial(lose, shop, pod))


def redis_gone(shop: Shop, traffic: Traffic, result: Result) -> None:
    """For two minutes; rules rank meanwhile."""

    def change() -> None:
        shop.space.kubectl("scale", "statefulset/vitrine-redis", "--replicas=0")
        time.sleep(120)
        shop.space.kubectl("scale", "statefulset/vitrine-redis", "--replicas=1")
        shop.wait_settled()

    with head_stays(shop, result):
        watched(result, "Redis gone for 2 minutes", change)


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


@contextmanager
def head_stays(shop: Shop, result: Result) -> Iterator[None]:
    """A bar: no container of the head is restarted meanwhile."""
    before = _restarts(shop, "head")
    yield
    restarted = _restarts(shop, "head") - before
    result.facts["restarts of the head"] = restarted
    result.expect(restarted == 0, "the head was restarted")


def _restarts(shop: Shop, part: str) -> int:
    return sum(
        each["restartCount"]
        for pod in shop.space.pods(part)
        for each in pod["status"].get("containerStatuses", [])
    )


def lose(shop: Shop, pod: Json) -> None:
    """Delete a pod, and wait until it is gone and what replaces it is ready."""
    name = pod["metadata"]["name"]
    shop.space.kubectl("delete", "pod", name, "--wait=false")
    uid = pod["metadata"]["uid"]  # a StatefulSet's next pod has the same name
    until(
        lambda: uid not in [each["metadata"]["uid"] for each in shop.space.get("pods")],
        f"{name} is gone",
        300,
    )
    shop.wait_settled()


def _reached(shop: Shop, host: str, port: int) -> bool:
    """From a pod of another namespace: the caller's."""
    code = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
    try:
        shop.callers.kubectl("exec", "caller", "--", "python", "-c", code)
    except CommandError:
        return False
    return True
