"""All scenarios. The order matters: each begins where the one before left the release."""

from loadtests.e2e import collected, disruptions, experiments, filling, growth, rollouts
from loadtests.e2e.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        disruptions.steady,
        disruptions.drain_the_only_worker,
        rollouts.upgrades,
        disruptions.drain_one_of_two,
        rollouts.rollbacks,
        disruptions.deletions,
        disruptions.redis_gone,
        rollouts.a_bad_image_and_back,
        filling.redis_full,
        filling.log_in_nats,
        rollouts.publish_and_roll_back,
        experiments.experiment,
        collected.retraining,
        collected.generated_load,
        disruptions.policies,
        growth.grow_and_shrink,
    )
}
