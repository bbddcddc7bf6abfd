"""More load than one node may take, less again, and an upgrade meanwhile: when what happened."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from helm.tools.kubernetes import until
from loadtests.e2e.nodes import Sample, Timeline, Watch
from loadtests.e2e.scenario import Result, watched
from loadtests.e2e.shop import DEPLOYMENTS, Shop, cluster_of
from loadtests.e2e.traffic import Traffic

CROWD = 25.0  # rankings a second more
# Of 10 requests a second half of one is under way on a slow machine, of 35 more than one.
_BUSY = [
    *("--set-json", f"{DEPLOYMENTS['ingress']}.target_ongoing_requests=0.7"),
    *(option for each in DEPLOYMENTS.values()
      for option in ("--set", f"{each}.downscale_delay_s=30")),
]  # fmt: skip
_AGAIN_S = 600.0  # until one node is left: delays, moving, idling

Moments = tuple[tuple[str, Callable[[Sample], bool]], ...]
_UP: Moments = (
    ("Serve wants more replicas", lambda now: max(now.targets.values()) > 1),
    ("Ray asks for a node", lambda now: now.asked > 1),
    ("its pod is made", lambda now: now.made > 1),
    ("Ray runs in it", lambda now: now.started > 1),
    ("it has a replica", lambda now: now.holding > 1),
    ("it takes requests", lambda now: now.ready > 1),
)
_DOWN: Moments = (
    ("Serve wants one of each", lambda now: max(now.targets.values()) == 1),
    ("one node has them all", lambda now: now.holding == 1),
    ("Ray gives the other back", lambda now: now.asked == 1),
    ("its pod is gone", lambda now: now.made == 1),
)


def grow_and_shrink(shop: Shop, traffic: Traffic, result: Result) -> None:
    """More load than one node may take; an upgrade right after it, which begins as large.

    Its replicas are spread over both nodes then, and have to come together for one to go.
    """
    shop.release.upgrade("--reuse-values", *_BUSY)
    watch, crowd = Watch(shop), shop.traffic(CROWD)
    crowd.name = "crowd"
    seen = result.timeline = Timeline(watch.samples)
    watch.start()
    one_node = partial(_one_node, watch)
    until(one_node, "one node at first", _AGAIN_S)

    def grow() -> None:
        crowd.start()
        seen.marks["the crowd comes"] = crowd.lines()[0][0]
        until(lambda: len(shop.workers()) > 1, "a second node", 200)

    def upgrade() -> None:
        before, large = shop.active(), len(shop.workers())
        seen.marks["upgrade"] = time.time()
        depth = 20 + int(time.time()) % 30  # another one than before
        shop.release.upgrade("--reuse-values", "--set", f"rules.diversity.depth={depth}")
        until(lambda: shop.active() not in ("", before), "a new cluster is active", 400)
        seen.marks["switch"] = time.time()
        new = [each for each in shop.workers() if cluster_of(each) == shop.active()]
        result.facts["nodes before the upgrade and at its switch"] = f"{large}, {len(new)}"
        result.expect(len(new) >= large, f"{len(new)} nodes have to do what {large} did")
        shop.wait_settled()

    def shrink() -> None:
        until(one_node, "one node again", _AGAIN_S)

    try:
        watched(result, "growth", grow, overload=True)
        tell(result, "the crowd comes", _UP)
        seen.marks["the crowd goes"] = time.time()
        seen.crowd = crowd.finish()
        watched(result, "an upgrade of two nodes", upgrade)
        watched(result, "shrinking", shrink, by_the_model=0.9)
    finally:
        crowd.stop()
        tell(result, "switch", _DOWN)
        watch.stop()


def _one_node(watch: Watch) -> bool:
    return bool(watch.samples) and watch.samples[-1].made == 1


def tell(result: Result, mark: str, moments: Moments) -> None:
    """As facts: how many seconds after a mark each moment came; one that did not is a bar."""
    seen = result.timeline
    assert seen is not None
    if (since_s := seen.marks.get(mark)) is None:
        return
    for name, true in moments:
        at_s = first(seen.samples, since_s, true)
        result.facts[f"{name}, s"] = None if at_s is None else round(at_s - since_s)
        result.expect(at_s is not None, f"not seen: {name}")


def first(
    samples: Iterable[Sample], since_s: float, true: Callable[[Sample], bool]
) -> float | None:
    """When it was true for the first time after a moment."""
    return next((now.at_s for now in samples if now.at_s >= since_s and true(now)), None)
