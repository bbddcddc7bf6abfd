"""What one data set teaches a ranker: its slates of training and of validation, as they were."""

from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from features.arrays import FloatArray
from features.behavior.replay import item_table
from features.datasets.format import Dataset
from features.objective import USUAL, Objective
from serving.training.data.plans import Plan, make_plan
from serving.training.data.propensities import debiased
from serving.training.data.slate_building import build_slates
from serving.training.data.slates import Slates, hide_behavior
from serving.training.fit.columns import columns, text_vectors
from serving.training.fit.network import TextTower


@dataclass(frozen=True, slots=True)
class Lesson:
    """Slates of both periods in order of time, with inverse propensities where positions are known.

    texts: of the items, by row; vectors: of texts and queries before any tuning, as text_vectors
    makes them; propensities: P(examined) by position, None without impressions
    """

    plan: Plan
    texts: list[str]
    slates: Slates
    vectors: tuple[FloatArray, dict[str, FloatArray]]
    propensities: FloatArray | None

    @property
    def n_train(self) -> int:
        """How many of the slates are of the training period."""
        return len(self.plan.train)

    @property
    def valid(self) -> Slates:
        """The slates of the validation period."""
        return self.slates.take(np.arange(self.n_train, len(self.slates)))

    def held_out(self, n: int) -> Slates:
        """The first `n` of them, for the parity gate of publishing."""
        return self.valid.take(np.arange(min(n, len(self.slates) - self.n_train)))

    def training(self, hidden_share: float, seed: int) -> Slates:
        """Those of the training period; a share of the candidates is made to look new."""
        hidden = hide_behavior(self.slates, hidden_share, np.random.default_rng(seed))
        return hidden.take(np.arange(self.n_train))


def read_lesson(
    dataset: Dataset,
    seed: int,
    n_train: int,
    tower: TextTower,
    progress: Progress | None = None,
    objective: Objective = USUAL,
) -> Lesson:
    """Replay the log of `dataset` into slates; `tower` says how texts match before any tuning.

    Raises DatasetError for a data set that cannot teach a ranker (data.plans.make_plan).
    """
    items = item_table(dataset)
    plan = make_plan(dataset, items, seed, n_train, objective)
    slates = build_slates(
        dataset, items, [*plan.train, *plan.valid], seed, progress, plan.refresh_s
    )
    texts = [item.ranker_text for item in items.items]
    vectors = text_vectors(tower, texts, slates)
    propensities = None
    if plan.train_shown:
        features = columns(slates, *vectors)
        slates, propensities = debiased(plan.train_shown, slates, features, seed)
    return Lesson(plan, texts, slates, vectors, propensities)
