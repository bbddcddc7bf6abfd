"""Installed, removed and installed at once, and as small as it goes."""

import time

from helm.tools.kubernetes import Json, ready, until
from helm.tools.quantities import requests
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import CHART, Shop

_USED = "cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory/memory.usage_in_bytes 2>/dev/null"


def install(shop: Shop, result: Result) -> None:
    """Into a namespace of its own, under restricted pod security."""
    shop.space.create()
    began_s = time.monotonic()
    shop.release.install()
    until(lambda: bool(shop.workers()), "a worker", 600, 1.0)
    result.facts["first worker ready, s"] = round(time.monotonic() - began_s)
    shop.release.test()
    result.facts["helm test passed, s"] = round(time.monotonic() - began_s)
    shop.wait_settled()
    result.facts["settled, s"] = round(time.monotonic() - began_s)


def reinstall(shop: Shop, result: Result) -> None:
    """At once after an uninstall."""
    result.facts["uninstall, s"] = _removed(shop)
    result.facts["reinstalled and ranking, s"] = _installed(shop)


def smallest(shop: Shop, result: Result) -> None:
    """The minimal profile: what it asks for in all, what it uses, and that it ranks."""
    _removed(shop)
    small = Shop([CHART / "ci" / "minimal.yaml"])
    (claim,) = [
        each for each in shop.space.get("pvc") if each["metadata"]["name"].endswith("shared")
    ]
    kept = claim["spec"]["resources"]["requests"]["storage"]  # a claim cannot shrink
    options = ("--set", "demo.data=grocery", "--set", f"sharedVolume.size={kept}")
    result.facts["installed and ranking, s"] = _installed(small, *options)
    small.wait_settled()
    traffic = small.traffic(10.0)
    traffic.start()
    watched(result, "minimal profile", lambda: time.sleep(60), by_the_model=0.9)
    time.sleep(result.spans[0].told_s - time.time())
    result.count(traffic, time.time())
    traffic.stop()
    pods = [pod for pod in small.space.get("pods") if ready(pod)]
    asked = [requests(pod) for pod in pods]
    cpu, gib = sum(each["cpu"] for each in asked), sum(each["memory"] for each in asked) / 2**30
    result.facts["CPUs asked for"], result.facts["GiB asked for"] = round(cpu, 2), round(gib, 2)
    result.expect(cpu <= 1.0, f"{cpu:.2f} CPUs are asked for")
    result.expect(gib <= 3.5, f"{gib:.2f} GiB are asked for")
    for pod in pods:
        part = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for container in pod["spec"]["containers"]:
            used = _used(small, pod, container["name"])
            result.facts[f"{part}: {container['name']} uses, MiB"] = used


def _removed(shop: Shop) -> int:
    began_s = time.monotonic()
    shop.release.uninstall()
    return round(time.monotonic() - began_s)


def _installed(shop: Shop, *options: str) -> int:
    began_s = time.monotonic()
    shop.release.install(*options)
    until(lambda: bool(shop.workers()), "a worker", 600, 1.0)
    shop.release.test()
    return round(time.monotonic() - began_s)


def _used(shop: Shop, pod: Json, container: str) -> int:
    """MiB, page cache included: as the kernel counts them against the limit."""
    command = ["exec", pod["metadata"]["name"], "-c", container, "--", "sh", "-c", f"{_USED}; true"]
    return round(int(shop.space.kubectl(*command).split()[0]) / 2**20)
