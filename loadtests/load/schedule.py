"""When requests are due: a Poisson process whose rate is a list of stages, drawn before the run.

The schedule is a pure function of shape, rate and seed. It knows nothing of answers, so a slow
server cannot slow it down (open loop), and what was asked for is an exact number.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

SHAPES = ("steady", "ramp", "spike", "soak", "cold_cache")
WARM_UP_S = 5.0  # connections, code paths and the crowd's mix settle; not judged
PAUSE_S = 2.0  # between capacity steps, so that one step's queue is not the next one's
N_STEPS = 12


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of the run with one rate, or a rate that moves evenly from one to another.

    `purpose`: "judged" by the gates, a "step" of the search for capacity, or "unjudged".
    """

    name: str
    purpose: str
    seconds: float
    rate: float  # requests per second at its end
    rate_before: float | None = None  # at its start; None: the same

    @property
    def asked(self) -> int:
        """How many requests are due in it."""
        before = self.rate if self.rate_before is None else self.rate_before
        return round(self.seconds * (before + self.rate) / 2)


def shape_stages(shape: str, rate: float, seconds: float) -> list[Stage]:
    """The stages of a named shape around `rate` requests per second for `seconds`."""
    warm_up = Stage("warm-up", "unjudged", WARM_UP_S, rate)
    match shape:
        case "steady" | "soak":
            return [warm_up, Stage(shape, "judged", seconds, rate)]
        case "ramp":
            return [Stage("ramp", "judged", seconds, rate, rate_before=0.0)]
        case "spike":
            return [
                warm_up,
                Stage("before", "judged", 0.4 * seconds, rate),
                Stage("3 x rate", "judged", 0.2 * seconds, 3 * rate),
                Stage("after", "judged", 0.4 * seconds, rate),
            ]
        case "cold_cache":
            return [Stage("cold cache", "judged", seconds, rate)]  # a warm-up would warm it
    raise ValueError(f"{shape!r} is none of {', '.join(SHAPES)}")


def capacity_stages(rate: float, step_seconds: float, factor: float) -> list[Stage]:
    """Steps of rising rates from `rate` on, each `factor` times the one before."""
    stages = []
    for number in range(N_STEPS):
        step_rate = round(rate * factor**number, 1)
        stages.append(Stage("pause", "unjudged", PAUSE_S, 0.0))
        stages.append(Stage(f"{step_rate:g}/s", "step", step_seconds, step_rate))
    return stages


def starts(stages: list[Stage]) -> list[float]:
    """The second at which each stage starts, and the end of the last one."""
    return list(accumulate((stage.seconds for stage in stages), initial=0.0))


def arrivals(stages: list[Stage], seed: int) -> npt.NDArray[np.float64]:
    """The seconds at which requests are due, ascending.

    Given their number, the arrivals of a Poisson process are independent draws from its rate;
    drawing them so keeps the number exact, and achieved against asked free of the draw's noise.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for stage, start_s in zip(stages, starts(stages), strict=False):
        before = stage.rate if stage.rate_before is None else stage.rate_before
        share = np.sort(rng.random(stage.asked))
        # Solves before*t + (rate-before)*t^2/(2*seconds) = share of the whole, for t.
        mean = (before + stage.rate) / 2
        root = np.sqrt(before**2 + 2 * (stage.rate - before) * mean * share)
        passed = share if mean == 0 else 2 * mean * share / (before + root)
        drawn.append(start_s + stage.seconds * passed)
    return np.concatenate(drawn)


def pace(
    due: Iterable[float],
    now_s: Callable[[], float],
    sleep: Callable[[float], None],
    send: Callable[[float], None],
) -> None:
    """Call `send(due_s)` at each due second; a late one at once, with the second it was due."""
    for due_s in due:
        wait_s = due_s - now_s()
        if wait_s > 0:
            sleep(wait_s)
        send(due_s)
