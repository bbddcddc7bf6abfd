"""What is served beside the version in use, before a new candidate is.

A candidate that replicas have taken into use by a decision gets into use in the repository; what no
shop, no experiment and no placement of a shop's rules names gives its memory back.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from features.controls.shops import registered
from features.controls.store import Controls
from serving.shops.experiments import Kind
from serving.shops.registry.definition import rules_of
from serving.shops.rules import Rules
from serving.shops.steering.decision import DECISIONS, Action, Decision
from serving.shops.steering.in_force import in_force
from serving.training.publish.repository import offered

_RANKER = "ranker"
Publish = Callable[[Sequence[str]], int]


def make_room(
    repository: Path, declared: Rules, controls: Controls, publish: Publish, reload: Sequence[str]
) -> int:
    """The exit status of the first command that failed, or 0.

    declared: the shop's rules; publish: serving.training.publish's command line
    """
    targets = ["--repository", str(repository)]
    for url in reload:
        targets += ["--reload", url]
    documents = controls.all(DECISIONS)
    rules = in_force(declared, controls).rules
    for experiment in rules.experiments:
        document = documents.get(experiment.key)
        if experiment.kind is not Kind.SHADOW or document is None:
            continue
        decision = Decision.of(document)
        version = decision.version
        if decision.action is not Action.PROMOTE or version is None:
            continue
        if int(version) in offered(repository, _RANKER):
            if status := publish(["promote", "--version", version, *targets]):
                return status
            # It is in use for everybody now; somebody who has decided meanwhile is not overruled.
            controls.swap(DECISIONS, experiment.key, document, _in_use(version).document)
    others = [rules_of(shop) for shop in registered(controls).values()]
    named = {int(version) for each in (rules, *others) for version in each.ranker_versions}
    for number in offered(repository, _RANKER):
        if number not in named and (
            status := publish(["withdraw", "--version", str(number), *targets])
        ):
            return status
    return 0


def _in_use(version: str) -> Decision:
    now = datetime.now(UTC)
    at = now.isoformat(timespec="seconds")
    why = f"version {version} is in use"
    return Decision(Action.RESUME, None, why, "policy", at, int(now.timestamp() * 1_000))
