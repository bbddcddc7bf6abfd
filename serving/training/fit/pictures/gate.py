"""Whether a joint space may be searched with: judged on titles that it was not learnt from."""

from dataclasses import asdict, dataclass
from typing import Any

from serving.training.fit.kept.material import MaterialError
from serving.training.fit.pictures.fitting import NEAREST, HeldOut, Pairs
from serving.training.quality import interval

LEAST_TITLES = 200  # that differ: of fewer nothing is learnt that holds for others
_LEAST_GAIN = 2.0  # times what a draw finds, by the lower end of the interval

Figures = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures are a mean and its 95 % interval. recall: of a title's own pictures among the NEAREST
    best of all; chance: the same of a draw."""

    titles: int
    pictures: int
    recall: Figures
    chance: float

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @property
    def problem(self) -> str | None:
        """Why it may not be used; None: it may."""
        if self.recall[1] > _LEAST_GAIN * self.chance:
            return None
        return (
            f"titles find their pictures with recall@{NEAREST} {_told(self.recall)}, which is not "
            f"surely {_LEAST_GAIN:.0f} times what a draw finds, {self.chance:.3f}"
        )


def check_enough(pairs: Pairs) -> None:
    """Raises MaterialError."""
    n_titles = len(set(pairs.titles.tolist()))
    if n_titles < LEAST_TITLES:
        raise MaterialError(
            f"{n_titles} different titles have a picture that was looked at: "
            f"{LEAST_TITLES} are needed"
        )


def judged(pairs: Pairs, held_out: HeldOut) -> Judgement:
    """What was held out, summed up."""
    recall = interval(held_out.found)
    chance = float(held_out.chance.mean())
    return Judgement(len(held_out.found), len(pairs.titles), recall, chance)


def told(judgement: Judgement) -> str:
    """For people."""
    return (
        f"{judgement.titles} titles, {judgement.pictures} pictures, cross-validated: "
        f"recall@{NEAREST} {_told(judgement.recall)}; words alone, with titles hidden: "
        f"{judgement.chance:.3f}"
    )


def _told(figures: Figures) -> str:
    mean, low, high = figures
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"
