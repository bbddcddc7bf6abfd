"""One sentence that says what to do."""

from collections.abc import Sequence

from serving.experiments.report.result import (
    ArmReading,
    GuardRailReading,
    Lasting,
    MetricReading,
    SampleRatio,
    Verdict,
)


def unreadable(ratio: SampleRatio) -> Verdict:
    """The sample ratio forbids to read on."""
    counts = ", ".join(f"{n:,} in {arm}" for arm, n in ratio.counts.items())
    shares = ", ".join(f"{share:.1%} in {arm}" for arm, share in ratio.expected.items())
    return Verdict(
        word="do not read",
        sentence=f"Do not read this experiment: there are {counts} where {shares} should be "
        f"(p = {ratio.p:.2g}); find out who was lost before you look at anything else.",
    )


def of_arm(
    arm: str,
    control: str,
    deciding: MetricReading,
    rails: Sequence[GuardRailReading],
    lasting: Lasting | None = None,
    later: MetricReading | None = None,
) -> Verdict:
    """What to do with one arm. A broken guard rail outweighs a better metric, and so does a lift
    that surely shrinks while the `later` days alone are not surely better."""
    broken = [rail for rail in rails if rail.state == "broken"]
    unsure = [rail for rail in rails if rail.state == "open"]
    told = _told(deciding)
    if broken:
        rail = broken[0]
        return Verdict(
            word="guard rail broken",
            sentence=f"Stop {arm}: {rail.reading.metric} is worse than {control}'s by more than "
            f"the {rail.bound:.1%} it may be ({_range(rail.reading)}).",
        )
    if deciding.finding == "worse":
        return Verdict(
            word="worse", sentence=f"Stop {arm}: its {deciding.metric} is worse than {control}'s, "
            f"{told}.",
        )  # fmt: skip
    if deciding.finding == "too few":
        n = sum(deciding.shoppers)
        return Verdict(
            word="open", sentence=f"Too early to say anything of {arm}: {n:,} shoppers were "
            f"exposed, or {control} has no {deciding.metric} yet.",
        )  # fmt: skip
    if deciding.finding == "no variance":
        return Verdict(
            word="open", sentence=f"Nothing can be said of {arm}: {deciding.metric} does not vary "
            f"between shoppers, {_means(deciding)}; decide by another metric.",
        )  # fmt: skip
    if deciding.finding == "open":
        return Verdict(
            word="open", sentence=f"Not decided: {arm}'s {deciding.metric} is {told} against "
            f"{control}'s; go on, or stop when that range is narrow enough for you.",
        )  # fmt: skip
    if unsure:
        names = ", ".join(rail.reading.metric for rail in unsure)
        return Verdict(
            word="open", sentence=f"{arm}'s {deciding.metric} is better than {control}'s, {told}, "
            f"but it is not yet ruled out that a guard rail breaks: {names}.",
        )  # fmt: skip
    shrinks = "falls" if (deciding.lift or 0.0) > 0 else "rises"
    if lasting is not None and lasting.finding == shrinks:
        told = f"{told}, but less in a shopper's later days than in the first {lasting.first_days}"
        if later is None or later.finding != "better":
            alone = "" if later is None else f" ({_told(later)})"
            return Verdict(
                word="open", sentence=f"{arm}'s {deciding.metric} is better than {control}'s, "
                f"{told}: go on until it is better in the later days alone{alone}.",
            )  # fmt: skip
    kept = "; no guard rail is broken" if rails else ""
    return Verdict(
        word="better", sentence=f"Promote {arm}: its {deciding.metric} is better than {control}'s, "
        f"{told}{kept}.",
    )  # fmt: skip


def of_all(arms: Sequence[ArmReading]) -> Verdict:
    """Of several arms: the one with the largest lift among the better ones, else what is worst."""
    better = [arm for arm in arms if arm.verdict.word == "better"]
    if better:
        return max(better, key=lambda arm: arm.deciding.lift or 0.0).verdict
    if len(arms) == 1:
        return arms[0].verdict
    unfinished = [arm for arm in arms if arm.verdict.word == "open"]
    if unfinished:
        names = ", ".join(arm.arm for arm in unfinished)
        return Verdict(word="open", sentence=f"Not decided yet for {names}; none is better so far.")
    names = ", ".join(arm.arm for arm in arms)
    return Verdict(word="worse", sentence=f"Stop {names}: none is better than what runs.")


def _told(reading: MetricReading) -> str:
    return f"{reading.lift:+.1%} ({_range(reading)})" if reading.lift is not None else "not known"


def _means(reading: MetricReading) -> str:
    return f"it is {reading.control:.4g} in control and {reading.treatment:.4g} in this arm"


def _range(reading: MetricReading) -> str:
    if reading.low is None or reading.high is None:
        return "range not known"
    return f"between {reading.low:+.1%} and {reading.high:+.1%}"
