"""That a request belonged to an arm of an experiment: what the analysis counts shoppers by."""

from dataclasses import dataclass
from typing import Literal

HashAttribute = Literal["user", "session"]


@dataclass(frozen=True, slots=True)
class Exposure:
    """One experiment's part of a request; GrowthBook's words (spec 0.4.3, ExperimentResult).

    hash_value: the pseudonym that the arm was drawn by; the unit of the analysis
    hash_attribute: whose it is. A shopper who was first known as a session stays drawn by that
    session's pseudonym after the sign-in (docs/adr/0034).
    """

    experiment: str
    variant: str  # the arm's key
    hash_attribute: HashAttribute
    hash_value: str
    bucket_version: int = 0

    @property
    def label(self) -> str:
        """Experiment and arm in one word."""
        return f"{self.experiment}/{self.variant}"
