"""How an experiment is read, and from what."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from serving.experiments.report.metrics import RETURNS, REWARD, STANDARD, GuardRail, Metric
from serving.experiments.report.shoppers import PAST_DAYS, ExperimentDataError
from serving.experiments.statistics.correction import Correction
from serving.experiments.statistics.interleaving import Preference
from serving.experiments.statistics.sequence import ALPHA, TUNED_TO, Looks

FIRST_DAYS = 7  # a week: what is done on one day of the week is in it


@dataclass(frozen=True, slots=True)
class Plan:
    """How an experiment is read; `weights`: of every arm, control's among them."""

    experiment: str
    control: str
    weights: Mapping[str, float]
    deciding: Metric = REWARD
    others: tuple[Metric, ...] = STANDARD
    guard_rails: tuple[GuardRail, ...] = (RETURNS,)
    segments: tuple[str, ...] = ()  # columns of the exposures
    placements: tuple[str, ...] = ()  # whose part of the deciding metric is read (Metric.at)
    looks: Looks = "daily"
    alpha: float = ALPHA
    tuned_to: float = TUNED_TO
    correction: Correction = Correction.BENJAMINI_HOCHBERG
    past_days: float = PAST_DAYS
    first_days: int = FIRST_DAYS  # after exposure, which the later ones are compared with
    by_day: bool = True  # read the days before as well, for the picture

    def __post_init__(self) -> None:
        if self.control not in self.weights:
            raise ExperimentDataError(f"control: {self.control!r} is no arm of {[*self.weights]}")
        if len(self.weights) < 2 or min(self.weights.values()) <= 0:
            raise ExperimentDataError("weights: two or more arms with positive weights are needed")
        if not 0 < self.alpha < 1:
            raise ExperimentDataError(f"alpha: {self.alpha} is not between 0 and 1")
        if self.first_days < 1:
            raise ExperimentDataError(f"first_days: {self.first_days} is no day")

    @property
    def arms(self) -> list[str]:
        """All but control."""
        return [arm for arm in self.weights if arm != self.control]

    @property
    def metrics(self) -> list[Metric]:
        """All that are read."""
        rails = [rail.metric for rail in self.guard_rails]
        return [self.deciding, *map(self.deciding.at, self.placements), *self.others, *rails]

    @property
    def columns(self) -> list[str]:
        """Of the outcomes that are needed."""
        return [column for metric in self.metrics for column in metric.columns]


@dataclass(frozen=True, slots=True)
class Data:
    """Exposures and outcomes as `report.shoppers` has them, and what interleaving found."""

    exposures: pd.DataFrame
    outcomes: pd.DataFrame
    interleaving: Preference | None = None
