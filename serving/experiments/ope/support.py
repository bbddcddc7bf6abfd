"""Does the log hold enough of what the target policy would do? If not, no figure is given."""

from dataclasses import dataclass

import numpy as np

from serving.experiments.ope.estimators import Weights
from serving.experiments.ope.slates import LoggedSlates, OpeRefusedError

LEAST_EFFECTIVE = 100.0  # rankings
NOT_EXPLORED = (
    "every propensity is 1: the policy that logged left nothing to chance, so its log says nothing "
    "of another order; sample a share of the rankings first (docs/experiments.md)"
)
_SURE = 4.0  # standard errors by which a mean weight may be off one
_OFF = 0.2  # and how far it must be off to matter


@dataclass(frozen=True, slots=True)
class Support:
    """How far the weights can be trusted. Of places, that of the worst one is told."""

    rankings: int
    explored: float  # share of rankings in which anything was left to chance
    effective: float  # sample size: as many rankings without weights would say as much
    clipped: float  # share of the places shown whose weight was cut off
    largest: float  # weight, before it was cut off
    # Where a log covers what the target shows, the mean weight is one at every place; here is the
    # place at which it is furthest from one.
    mean: float
    mean_error: float  # its standard error
    mean_place: int

    def refuse(self, floor: float = LEAST_EFFECTIVE) -> None:
        """Raises OpeRefusedError when nothing was left to chance, when the weights cannot be the
        target's, or when the effective sample size is below `floor`."""
        if self.explored == 0:
            raise OpeRefusedError(NOT_EXPLORED)
        if abs(self.mean - 1) > max(_SURE * self.mean_error, _OFF):
            raise OpeRefusedError(
                f"the mean weight is {self.mean:.2f} at place {self.mean_place} and should be 1: "
                "the target shows what the log never did, or the two propensities are not of the "
                "same choice"
            )
        if self.effective < floor:
            raise OpeRefusedError(
                f"the log says as much as {self.effective:.0f} rankings of the target policy "
                f"would, and {floor:.0f} are needed: explore more, or ask for a policy that is "
                "nearer to the one that logged"
            )


def support(slates: LoggedSlates, of: Weights, clip: float) -> Support:
    """The state of the weights."""
    shown = slates.shown
    places = np.flatnonzero(shown.any(axis=0))
    n = shown.sum(axis=0)[places].astype(np.float64)
    here = np.where(shown, of.here, 0.0)
    mean = here.sum(axis=0)[places] / n
    squares = np.square(here).sum(axis=0)[places] / n
    error = np.sqrt(np.maximum(squares - mean**2, 0.0) / n)
    worst = int(np.argmax(np.abs(mean - 1.0)))
    used = np.minimum(here, clip)
    total = used.sum(axis=0)[places]
    effective = np.divide(
        total**2, np.square(used).sum(axis=0)[places], out=np.zeros_like(total), where=total > 0
    )
    return Support(
        rankings=len(shown),
        explored=float(((slates.logged < 1.0) & shown).any(axis=1).mean()),
        # A place that few rankings have is not held against the others.
        effective=float((effective / n).min() * len(shown)),
        clipped=float((here > clip)[shown].mean()),
        largest=float(here.max()),
        mean=float(mean[worst]),
        mean_error=float(error[worst]),
        mean_place=int(places[worst]) + 1,
    )
