"""All scenarios. The order matters: each begins where the one before left the release."""

from collections.abc import Iterator

from loadtests.e2e import disruptions, rollouts
from loadtests.e2e.scenario import Scenario

SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        disruptions.steady,
        disruptions.drain_the_only_worker,
        rollouts.upgrades,
        rollouts.rollbacks,
        rollouts.a_bad_image_and_back,
        disruptions.deletions,
        disruptions.redis_gone,
        rollouts.publish_and_roll_back,
        disruptions.policies,
        disruptions.grow_and_shrink,
    )
}


def chosen(names: list[str]) -> Iterator[tuple[str, Scenario]]:
    """The scenarios of these names, all when there are none."""
    for name, function in SCENARIOS.items():
        if not names or name in names:
            yield name, function
