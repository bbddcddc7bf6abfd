"""What experiments must be to stand beside each other, and to follow each other under one key."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from serving.shops.experiments import Experiment

# What says who is in which arm, and what an arm is.
_DRAWN_BY = ("kind", "seed", "arms", "targeting", "namespace", "min_bucket_version")
Changed = Callable[[Mapping[str, Any]], object]


def check_together(experiments: Sequence[Experiment], changed: Changed) -> None:
    """Raise ValueError for experiments that cannot be declared beside each other.

    changed: makes the rules of an arm, or raises ValueError for sections that cannot be used
    """
    for place, experiment in enumerate(experiments):
        try:
            check_arms(experiment, changed)
            check_after(experiment, experiments)
            check_beside(experiment, experiments[:place])
        except ValueError as error:
            raise ValueError(f"experiments.{place}.{error}") from None


def check_arms(experiment: Experiment, changed: Changed) -> None:
    """Raise ValueError for an arm whose rules cannot be used; the message names the field."""
    for number, arm in enumerate(experiment.arms):
        try:
            changed(arm.rules)
        except ValueError as error:
            raise ValueError(f"arms.{number}.rules.{error}") from None


def check_after(experiment: Experiment, experiments: Iterable[Experiment]) -> None:
    """Raise ValueError when it waits for what is none of these shadows."""
    gates = {each.key for each in experiments if each.gate}
    if experiment.after is not None and experiment.after not in gates:
        raise ValueError("after: names no shadow with a gate")


def check_aims(experiment: Experiment, placements: Container[str]) -> None:
    """Raise ValueError when it is aimed at a placement that is not among these."""
    for name in experiment.targeting.placements:
        if name not in placements:
            raise ValueError(f"targeting.placements: no placement {name!r} is declared")


def check_beside(experiment: Experiment, others: Iterable[Experiment]) -> None:
    """Raise ValueError when it cannot be declared beside others; the message names the field."""
    for other in others:
        names = f"{other.key!r} and {experiment.key!r}"
        if other.key == experiment.key:
            raise ValueError(f"key: two have the key {experiment.key!r}")
        if not (experiment.draws and other.draws):
            continue
        one, two = other.namespace, experiment.namespace
        if one and two and one.id == two.id:
            starts, ends = zip(one.range, two.range, strict=True)
            if max(starts) < min(ends):
                raise ValueError(f"namespace: {names} overlap in the namespace {one.id!r}")
        elif both := other.changes & experiment.changes:
            raise ValueError(
                f"namespace: {names} both change {min(both)} and may meet in one request: give "
                "them ranges of one namespace"
            )


def drawn_by(experiment: Experiment) -> dict[str, Any]:
    """What shoppers were drawn by, as JSON: the same says that none gets another arm."""
    given = experiment.model_dump(mode="json", include={*_DRAWN_BY, "bucket_version", "coverage"})
    if not experiment.targeting.placements:
        del given["targeting"]["placements"]  # what a release of before has written lacks it
    arms = zip(given["arms"], experiment.weights, strict=True)
    return {
        **given,
        "seed": experiment.seed or experiment.key,
        "arms": [{**arm, "weight": weight} for arm, weight in arms],
    }


def check_drawn(experiment: Experiment, before: Mapping[str, Any] | None) -> None:
    """Raise ValueError for what would give another arm to shoppers who have one already, or another
    meaning to an arm, without a higher bucket_version.

    before: what drew under this key last, as `drawn_by` told it; None: nothing did
    """
    if before is None or not experiment.draws:
        return
    now, version = drawn_by(experiment), before["bucket_version"]
    if experiment.bucket_version < version:
        raise ValueError(f"bucket_version: {version} has drawn shoppers, and it never goes back")
    if experiment.bucket_version > version:
        return
    for name in _DRAWN_BY:
        if now[name] != before[name]:
            raise ValueError(
                f"{name}: shoppers were drawn by another one under bucket_version {version}; "
                "raise bucket_version to draw anew"
            )
    if now["coverage"] < before["coverage"]:
        raise ValueError(
            f"coverage: shoppers were drawn up to {before['coverage']:g} under bucket_version "
            f"{version}; it may grow, or raise bucket_version to draw anew"
        )
