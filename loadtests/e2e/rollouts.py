"""Upgrades, rollbacks and model versions, under load."""

import json
import time
from typing import NamedTuple

from helm.tools.kubernetes import ready, until
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import DEPLOYMENTS, Shop
from loadtests.e2e.traffic import Traffic

_IN_PLACE_S = 15.0  # for KubeRay to see a change, and for Serve to begin with it


class Change(NamedTuple):
    """A change of values. rolls: it is another Ray cluster, not another config for this one."""

    name: str
    rolls: bool
    values: dict[str, object]


_UPGRADES = (
    Change("rules", True, {"rules.diversity.depth": 19}),
    Change("a setting", True, {"serving.settings.pipeline.default_budget_s": 0.45}),
    Change("replicas of the ranker", False, {f"{DEPLOYMENTS['ranker']}.max_replicas": 3}),
    Change("image", True, {}),
    Change("replicas of cold start", False, {f"{DEPLOYMENTS['cold_start']}.max_replicas": 3}),
    Change("load of a replica", False, {f"{DEPLOYMENTS['ingress']}.target_ongoing_requests": 5}),
    Change("replicas of the ingress", False, {f"{DEPLOYMENTS['ingress']}.max_replicas": 3}),
    Change("delays", False, {f"{DEPLOYMENTS['ingress']}.downscale_delay_s": 30}),
    Change("nodes", True, {"serving.workers.maxReplicas": 3}),
    Change("two of each", True, {
        "serving.workers.minReplicas": 2,
        **{f"{each}.min_replicas": 2 for each in DEPLOYMENTS.values()},
    }),
)  # fmt: skip


def upgrades(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Of everything that changes in a shop's life, by Helm 4 and 3 in turns."""
    for number, change in enumerate(_UPGRADES):
        values, helm = change.values, ("helm", "helm3")[number % 2]
        if change.name == "image":
            if not shop.other_tag:
                result.facts["image"] = "not tried: no --other-tag"
                continue
            values = {"images.serving.tag": shop.other_tag}
        options = [
            text
            for key, value in values.items()
            for text in ("--set-json", f"{key}={json.dumps(value)}")
        ]

        def upgrade(
            options: list[str] = options, helm: str = helm, rolls: bool = change.rolls
        ) -> None:
            before = shop.active()
            shop.release.upgrade("--reuse-values", *options, helm=helm)
            _rolled(shop, before, rolls)

        span = watched(result, f"upgrade: {change.name} ({helm})", upgrade)
        if change.rolls:
            result.facts[f"{span.name}, s"] = span.seconds
    result.facts["workers at the end"] = len(shop.workers())
    result.expect(len(shop.workers()) == 2, "two workers were asked for")


def rollbacks(shop: Shop, traffic: Traffic, result: Result) -> None:
    """Three revisions back, one by one, from where the upgrades ended."""
    newest = json.loads(shop.release.history())[-1]["revision"]
    for change, target in zip(reversed(_UPGRADES), range(newest - 1, newest - 4, -1), strict=False):

        def back(target: int = target, rolls: bool = change.rolls) -> None:
            before = shop.active()
            shop.release.rollback(str(target))
            _rolled(shop, before, rolls)

        span = watched(result, f"rollback of: {change.name}", back)
        if change.rolls:
            result.facts[f"{span.name}, s"] = span.seconds


def a_bad_image_and_back(shop: Shop, traffic: Traffic, result: Result) -> None:
    """It never starts: the old nodes answer and events are folded, until it is taken back.

    What remains of it goes within five minutes, beside what comes next: the job that clears a
    cluster's state has the same bad image.
    """
    before = shop.active()

    def bad() -> None:
        shop.release.upgrade("--reuse-values", "--set", "images.serving.tag=no-such-image")
        time.sleep(60)
        folding = [pod for pod in shop.space.pods("ingest") if ready(pod)]
        result.expect(bool(folding), "ingest is gone while the image waits")
        result.expect(shop.active() == before, "the cluster was switched")

    watched(result, "a bad image waits", bad)

    def back() -> None:
        shop.release.rollback()
        time.sleep(_IN_PLACE_S)
        until(lambda: not shop.pending(), "no cluster waits to be the active one", 400, 2.0)

    watched(result, "and is taken back", back)
    # KubeRay compares with the cluster that waits, not with the one that answers.
    result.facts["clusters that it took"] = 1 if shop.active() == before else 2


def publish_and_roll_back(shop: Shop, traffic: Traffic, result: Result) -> None:
    """A model version, by the chart's own jobs."""
    copy_bundle(shop)
    for name in ("publish", "rollback"):

        def change(name: str = name) -> None:
            result.facts[name] = shop.run_job(name)

        watched(result, name, change)


def copy_bundle(shop: Shop) -> None:
    """The demonstration's, to where the chart's jobs find what is to be published."""
    (ingest,) = (pod["metadata"]["name"] for pod in shop.space.pods("ingest") if ready(pod))
    shop.space.kubectl("cp", "serving/training/bundles/grocery", f"{ingest}:/shared/bundle")


def _rolled(shop: Shop, before: str, rolls: bool) -> None:
    if rolls:
        shop.wait_upgraded(before)
    else:
        time.sleep(_IN_PLACE_S)
        shop.wait_settled()
