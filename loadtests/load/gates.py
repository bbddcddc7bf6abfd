"""When a run fails, and where the curve of capacity has its knee."""

from dataclasses import dataclass

from loadtests.load.ledger import Figures


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run must keep."""

    p99_ms: float
    fallback_share: float
    failure_share: float = 0.001
    achieved_share: float = 0.95


def broken(figures: Figures, limits: Limits) -> list[str]:
    """Each limit that `found` breaks, in words; none when it is good."""
    if not figures.answered:
        return ["no requests"]
    wrong = []
    if figures.achieved_share < limits.achieved_share:
        wrong.append(
            f"sent {figures.achieved_share:.1%} of what was asked, under "
            f"{limits.achieved_share:.0%}: the generator did not keep up"
        )
    if figures.failure_share > limits.failure_share:
        wrong.append(f"failures {figures.failure_share:.2%}, over {limits.failure_share:.1%}")
    if figures.refused_share > limits.failure_share:
        wrong.append(
            f"refused (429) {figures.refused_share:.2%}, over {limits.failure_share:.1%}: "
            "the key's rate was measured, not the service"
        )
    if not figures.rankings:
        wrong.append("no rankings")
    elif figures.fallback_share > limits.fallback_share:
        wrong.append(f"fallbacks {figures.fallback_share:.2%}, over {limits.fallback_share:.1%}")
    if not figures.p99_ms <= limits.p99_ms:  # NaN, nothing measured, is broken too
        wrong.append(f"p99 {figures.p99_ms:.0f} ms, over {limits.p99_ms:.0f} ms")
    return wrong


def knee(steps: list[Figures], limits: Limits) -> Figures | None:
    """The highest step that keeps every limit; None when none does."""
    good = [step for step in steps if not broken(step, limits)]
    return max(good, key=lambda step: step.asked / step.seconds, default=None)


def past_the_knee(steps: list[Figures], limits: Limits) -> bool:
    """Two steps in a row broke a limit: one alone may be noise, going on would tell nothing."""
    return len(steps) >= 2 and all(broken(step, limits) for step in steps[-2:])
