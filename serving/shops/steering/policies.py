"""What the declared policies want of an experiment now, and what is told of it meanwhile."""

from collections.abc import Mapping, Sequence
from typing import Any

from features.controls.store import Controls
from serving.shops.experiments import INTERLEAVED, Experiment, Kind
from serving.shops.steering.counts import PROMOTED, Minutes, Ranked, by_arm, of_shadow
from serving.shops.steering.decision import Action, Standing
from serving.shops.steering.guard import WINDOWS_MIN, breach
from serving.shops.steering.policy import Guard, Promotion
from serving.shops.steering.tally import COMPARED, FAILED, OVERLAP, tried

READINGS = "reading"  # documents: what was read of an experiment last
BEGUN = "begun"  # documents: when an experiment began to draw
_DAY_S = 86_400.0
_TOLD_MIN = (5, 60)
Wanted = tuple[Action, str | None, str]


def wanted(
    experiment: Experiment,
    declared: Sequence[Experiment],
    standing: Standing,
    controls: Controls,
    now_s: float,
) -> Wanted | None:
    """Action, arm and why, in words; None: all is well. Blocks.

    declared: all experiments: of several promoted ones the last is judged, which ranks.
    """
    guard, action = experiment.guard, standing.action(experiment)
    if action is Action.PROMOTE and guard is not None:
        for promoted, arm in standing.promoted(declared)[-1:]:
            if promoted.key != experiment.key:
                continue
            before = Ranked(standing.decisions[promoted.key].before)
            why = _broken(experiment, guard, [PROMOTED + arm.key], None, before, standing,
                          controls, now_s)  # fmt: skip
            if why is not None:
                return Action.STOP, None, why
    if experiment.kind is Kind.SHADOW:
        return _passed(experiment, standing)
    if not standing.drawing([experiment]):
        return None
    if guard is not None:
        control: str | None
        control, *others = [arm.key for arm in experiment.arms]
        if experiment.kind is Kind.INTERLEAVE:  # both are in one slate: there is nobody beside it
            control, others = None, [INTERLEAVED]
        why = _broken(experiment, guard, others, control, Ranked(), standing, controls, now_s)
        if why is not None:
            return Action.STOP, None, why
    if experiment.promote is not None:
        return _better(experiment, experiment.promote, controls, now_s)
    return None


def _broken(
    experiment: Experiment,
    guard: Guard,
    arms: list[str],
    control: str | None,
    before: Ranked,
    standing: Standing,
    controls: Controls,
    now_s: float,
) -> str | None:
    minute, epoch_ms = int(now_s // 60), standing.epoch_ms(experiment.key)
    minutes: Minutes = {}
    for n in (WINDOWS_MIN[1], WINDOWS_MIN[-1]):  # a busy shop need not read an hour
        minutes = controls.read(experiment.key, minute - n + 1)
        counted = by_arm(minutes, 0, epoch_ms)
        if all(counted.get(arm, Ranked()).asked >= guard.after for arm in arms):
            break
    return breach(guard, arms, control, before, minutes, minute, epoch_ms)


def _passed(shadow: Experiment, standing: Standing) -> Wanted | None:
    """The shadow's arm, when the version that it compares has passed the gate."""
    if shadow.promote is None or shadow.key not in standing.passed:
        return None
    if not standing.shadowing([shadow]):
        return None
    return Action.PROMOTE, shadow.arms[0].key, f"{standing.version_of(shadow)} has passed the gate"


def _better(
    experiment: Experiment, promotion: Promotion, controls: Controls, now_s: float
) -> Wanted | None:
    """The arm that the published reading would promote, when the experiment is old enough.

    A reading of another bucket_version is of other shoppers, maybe of other arms: a job that began
    before a change publishes it after. One that tells none is of an older release, and of 0.
    """
    days = promotion.after_days or 0.0
    if now_s - _begun_s(experiment, controls, now_s) < days * _DAY_S:
        return None
    reading = controls.all(READINGS).get(experiment.key, {})
    if reading.get("bucket_version", 0) != experiment.bucket_version:
        return None
    if _word(reading) != promotion.when:
        return None
    better = [arm for arm in reading.get("arms", ()) if _word(arm) == promotion.when]
    if not better:
        return None
    best = max(better, key=lambda arm: arm["deciding"]["lift"] or 0.0)
    return Action.PROMOTE, best["arm"], str(best["verdict"]["sentence"])[:200]


def _word(told: Mapping[str, Any]) -> str | None:
    word = told.get("verdict", {}).get("word")
    return None if word is None else str(word)


def _begun_s(experiment: Experiment, controls: Controls, now_s: float) -> float:
    """When it was first seen to draw, with this bucket_version."""
    before = controls.all(BEGUN).get(experiment.key)
    if before is not None and before["bucket_version"] == experiment.bucket_version:
        return float(before["at_s"])
    begun = {"bucket_version": experiment.bucket_version, "at_s": now_s}
    controls.swap(BEGUN, experiment.key, before, begun)
    return now_s


def live(experiment: Experiment, minutes: Minutes, minute: int) -> dict[str, Any]:
    """The document of an experiment's last minutes."""
    return {f"last_{n}_minutes": _told(experiment, minutes, minute - n + 1) for n in _TOLD_MIN}


def _told(experiment: Experiment, minutes: Minutes, since: int) -> dict[str, Any]:
    if experiment.kind is Kind.SHADOW:
        counts = of_shadow(minutes, since)
        shown = tried(counts)
        outcomes = {
            name.removeprefix("outcome:"): int(n) for name, n in counts.items()
            if name.startswith("outcome:")
        }  # fmt: skip
        compared = shown[COMPARED]
        overlap = round(shown[OVERLAP] / compared, 4) if compared else None
        return {
            "arms": {}, "promoted": {},
            "shadow": {"compared": int(compared), "failed": int(shown[FAILED]),
                       "outcomes": outcomes, "overlap": overlap},
        }  # fmt: skip
    arms = by_arm(minutes, since)
    promoted = {key[len(PROMOTED) :]: one for key, one in arms.items() if key.startswith(PROMOTED)}
    drawn = {key: one for key, one in arms.items() if not key.startswith(PROMOTED)}
    return {
        "arms": {key: _ranked(one) for key, one in sorted(drawn.items())},
        "promoted": {key: _ranked(one) for key, one in sorted(promoted.items())},
        "shadow": None,
    }


def _ranked(one: Ranked) -> dict[str, Any]:
    times = {"mean": one.mean_s, "p50": one.quantile_s(0.5), "p99": one.quantile_s(0.99)}
    return {
        "rankings": int(one.rankings),
        "fallbacks": int(one.fallbacks),
        "version_not_loaded": int(one.not_loaded),
        "model_ms": {name: _ms(seconds) for name, seconds in times.items()},
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1e3 * seconds, 2)
