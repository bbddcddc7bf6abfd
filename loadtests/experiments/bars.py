"""What was measured, against what is required of it."""

from dataclasses import dataclass

from scipy.stats import binomtest


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure and what it must be. A share of simulated runs carries its own 95 % interval."""

    name: str
    measured: float
    required: float
    at_least: bool
    runs: int | None = None  # that the share is of
    note: str = ""

    @property
    def met(self) -> bool:
        """Is it as required?"""
        return self.measured >= self.required if self.at_least else self.measured <= self.required

    @property
    def interval(self) -> tuple[float, float] | None:
        """Clopper and Pearson's, of a share of runs."""
        if self.runs is None:
            return None
        found = binomtest(round(self.measured * self.runs), self.runs).proportion_ci()
        return float(found.low), float(found.high)

    def as_json(self) -> dict[str, object]:
        """Figure, bar and verdict."""
        return {
            "name": self.name, "measured": self.measured, "interval": self.interval,
            "required": self.required, "at_least": self.at_least, "runs": self.runs,
            "note": self.note, "met": self.met,
        }  # fmt: skip


def at_most(name: str, found: int, runs: int, required: float, note: str = "") -> Bar:
    """A share of runs that may not be larger."""
    return Bar(name, found / runs, required, False, runs, note)


def at_least(name: str, found: int, runs: int, required: float, note: str = "") -> Bar:
    """A share of runs that may not be smaller."""
    return Bar(name, found / runs, required, True, runs, note)
