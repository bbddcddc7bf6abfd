"""Whether an arm does so badly that nobody needs to be asked."""

import math
from collections.abc import Iterable

from serving.shops.steering.counts import PROMOTED, Minutes, Ranked, by_arm
from serving.shops.steering.policy import Guard

WINDOWS_MIN = (2, 5, 15, 60)  # judged is the shortest that holds enough; the newest minute runs on
_NOT_LOADED_MIN = 15  # a server that starts anew has no candidate for a moment
_SURE = 3.0  # standard errors: it is looked at every few seconds
NOTICED_S = 0.005  # of the model's time; less nobody feels, whatever the ratio
_FEW = 30  # answers of control, below which its time is not known


def breach(
    guard: Guard,
    arms: Iterable[str],
    control: str | None,
    before: Ranked,
    minutes: Minutes,
    minute: int,
    epoch_ms: int,
) -> str | None:
    """Why the first of `arms` that breaks the guard is to be stopped, in words; None: none does.

    control: the arm it is compared with; None: `before`, what control did up to a promotion
    minute: that runs now; epoch_ms: only what was counted under that decision
    """
    windows = {n: by_arm(minutes, minute - n + 1, epoch_ms) for n in WINDOWS_MIN}
    for arm in arms:
        for n, counted in windows.items():
            ranked = counted.get(arm, Ranked())
            if ranked.asked < guard.after:
                continue
            other = before if control is None else counted.get(control, Ranked())
            why = _fallbacks(guard, ranked, other) or _time(guard, ranked, other)
            if why is not None:
                return f"{arm.removeprefix(PROMOTED)}: {why} ({_time_of(n)})"
            break  # longer windows tell of what was
        loaded = windows[_NOT_LOADED_MIN].get(arm, Ranked())
        if loaded.asked >= guard.after and _above(
            loaded.not_loaded, loaded.asked, 0, 0, guard.not_loaded
        ):
            return (
                f"{arm.removeprefix(PROMOTED)}: its version was not loaded for "
                f"{loaded.not_loaded / loaded.asked:.1%} of {loaded.asked:,.0f} rankings, more "
                f"than {guard.not_loaded:.1%} ({_time_of(_NOT_LOADED_MIN)})"
            )
    return None


def _fallbacks(guard: Guard, arm: Ranked, control: Ranked) -> str | None:
    if not _above(arm.fallbacks, arm.asked, control.fallbacks, control.asked, guard.fallback):
        return None
    told = f"{arm.fallbacks / arm.asked:.1%} of {arm.asked:,.0f} rankings are fallbacks"
    against = f", {control.fallbacks / control.asked:.1%} of control's" if control.asked else ""
    return f"{told}{against}; {guard.fallback:.1%} more are allowed"


def _above(count: float, of: float, other: float, other_of: float, bound: float) -> bool:
    """Whether the share is surely more than `bound` above the other one (Agresti and Caffo 2000:
    a success and a failure more on each side); without another, above nothing.
    """
    share, error2 = _smoothed(count, of)
    other_share, other_error2 = _smoothed(other, other_of) if other_of else (0.0, 0.0)
    return share - other_share - bound > _SURE * math.sqrt(error2 + other_error2)


def _smoothed(count: float, of: float) -> tuple[float, float]:
    share = (count + 1) / (of + 2)
    return share, share * (1 - share) / (of + 2)


def _time(guard: Guard, arm: Ranked, control: Ranked) -> str | None:
    """By geometric means: a first answer that is slow, or a pause of the machine, weighs little."""
    if arm.timed < guard.after or control.timed < _FEW:
        return None
    log, error2 = _log_time(arm)
    other, other_error2 = _log_time(control)
    sure = log - other - math.log(guard.model_time) > _SURE * math.sqrt(error2 + other_error2)
    if not sure or math.exp(log) - math.exp(other) < NOTICED_S:
        return None
    return (
        f"its model takes {1e3 * math.exp(log):,.0f} ms, control's {1e3 * math.exp(other):,.0f}; "
        f"{guard.model_time:g} times as long is allowed"
    )


def _log_time(ranked: Ranked) -> tuple[float, float]:
    mean = ranked.log / ranked.timed
    return mean, max(ranked.log2 / ranked.timed - mean * mean, 0.0) / ranked.timed


def _time_of(minutes: int) -> str:
    return f"within {minutes} minutes"
