"""One run: its stages and limits, when it is over, and what came of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from loadtests.load.gates import Limits, broken, knee, past_the_knee
from loadtests.load.ledger import Figures, Ledger, figures
from loadtests.load.schedule import PAUSE_S, Stage, arrivals, capacity_stages, shape_stages, starts


@dataclass(frozen=True)
class Outcome:
    """A run in figures. `whole` is the judged part; `broken` says why the run failed, if it did."""

    run: "Run"
    table: pd.DataFrame
    whole: Figures
    stages: list[Figures]
    endpoints: list[Figures]
    steps: list[Figures]
    broken: list[str]
    knee: Figures | None


@dataclass(frozen=True)
class Run:
    """What is asked of the service, and what is expected of it."""

    shape: str
    stages: list[Stage]
    seed: int
    limits: Limits

    @classmethod
    def planned(
        cls,
        shape: str,
        rate: float,
        seconds: float,
        step_seconds: float,
        step_factor: float,
        seed: int,
        limits: Limits,
    ) -> "Run":
        """A shape, then the steps of the search for capacity unless `step_seconds` is 0."""
        stages = shape_stages(shape, rate, seconds)
        if step_seconds:
            stages += capacity_stages(rate, step_seconds, step_factor)
        return cls(shape, stages, seed, limits)

    @cached_property
    def arrivals(self) -> npt.NDArray[np.float64]:
        """The seconds at which requests are due."""
        return arrivals(self.stages, self.seed)

    @cached_property
    def _spans(self) -> list[tuple[Stage, float, float]]:
        bounds = starts(self.stages)
        return list(zip(self.stages, bounds[:-1], bounds[1:], strict=True))

    def over(self, run_time_s: float, ledger: Ledger, grace_s: float) -> bool:
        """Whether all answers are in, the wait for them is over, or capacity has been found."""
        end_s = self._spans[-1][2]
        if len(ledger) >= len(self.arrivals) or run_time_s > end_s + grace_s:
            return True
        # Judged in pauses only: it takes time that would be missing between two requests.
        pause = any(
            stage.rate == 0 and start_s + PAUSE_S / 4 <= run_time_s < end_s
            for stage, start_s, end_s in self._spans
        )
        return pause and past_the_knee(self._steps(ledger.table()), self.limits)

    def _steps(self, table: pd.DataFrame) -> list[Figures]:
        """The steps of which every request has been answered or given up."""
        steps = [
            figures(table, stage.name, start_s, end_s, stage.asked)
            for stage, start_s, end_s in self._spans
            if stage.purpose == "step"
        ]
        return [step for step in steps if step.answered >= step.asked]

    def outcome(self, table: pd.DataFrame) -> Outcome:
        """Judge the requests of `table`."""
        judged = [span for span in self._spans if span[0].purpose == "judged"]
        start_s, end_s = judged[0][1], judged[-1][2]
        n_due = sum(stage.asked for stage, _, _ in judged)
        whole = figures(table, self.shape, start_s, end_s, n_due)
        steps = self._steps(table)
        return Outcome(
            run=self,
            table=table,
            whole=whole,
            stages=[figures(table, s.name, start, end, s.asked) for s, start, end in judged],
            endpoints=[
                figures(rows, str(endpoint), start_s, end_s, len(rows))
                for endpoint, rows in table[table["due_s"].between(start_s, end_s)].groupby(
                    "endpoint"
                )
            ],
            steps=steps,
            broken=broken(whole, self.limits),
            knee=knee(steps, self.limits),
        )
