"""Upgrades, rollbacks and model versions, under load."""

import json
import time

from helm.tools.kubernetes import ready
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import Shop, now
from loadtests.e2e.traffic import Traffic


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


def _rolled(shop: Shop, before: str, rolls: bool) -> None:
    if rolls:
        shop.wait_upgraded(before)
    else:
        time.sleep(30)
        shop.wait_settled()
