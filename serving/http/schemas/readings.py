"""What was read of an experiment, on the wire: what `serving.experiments.report publish` keeps."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from serving.http.schemas.wire import Wire

_LIFT = "Relative to control: .05 is 5 % more. null: too few shoppers, or control has none."


class ReadingVerdict(Wire):
    """What to do."""

    word: Literal["do not read", "cannot be read", "worse", "guard rail broken", "better", "open"]
    sentence: str = Field(description="For people; it names the arm.")


class ReadingSize(Wire):
    """How large an arm is."""

    arm: str
    shoppers: int = Field(description="Exposed to this arm alone.")
    expected: float = Field(description="Share of the shoppers that its weight means.")


class ReadingRatio(Wire):
    """Whether the arms are as large as their weights say."""

    state: Literal["ok", "warning", "mismatch"] = Field(
        description="mismatch: no metric is computed, since somebody was lost on the way."
    )
    p_value: float = Field(description="Of the test that decides.")
    arms: list[ReadingSize]


class ReadingMetric(Wire):
    """A metric of one arm against control."""

    metric: str
    segment: str = Field(description='"all", or a column and its value.')
    shoppers: list[int] = Field(description="Two: of control, of the arm.")
    control: float | None
    treatment: float | None
    lift: float | None = Field(description=_LIFT)
    low: float | None = Field(description="Lower end of the interval of the lift.")
    high: float | None = Field(description="Upper end.")
    p_value: float | None
    adjusted_p: float | None = Field(description="Corrected; null for the metric that decides.")
    saved: float = Field(description="Share of the variance that the past explained.")
    finding: Literal["better", "worse", "open", "too few", "no variance"]


class ReadingGuardRail(Wire):
    """A metric that may not get worse by more than a bound."""

    reading: ReadingMetric
    bound: float = Field(description=".1: by 10 %.")
    state: Literal["kept", "broken", "open"] = Field(
        description="kept: more than the bound is ruled out; broken: it is certain; open: neither."
    )


class ReadingDay(Wire):
    """The metric that decides, as it was at the end of a day."""

    day: int = Field(description="Since the first shopper was exposed, from 1.")
    lift: float
    low: float
    high: float


class ReadingLasting(Wire):
    """The metric that decides, in shoppers' later days against their first ones."""

    first_days: int = Field(description="After exposure; later days are all that follow.")
    shoppers: list[int] = Field(description="Exposed longer than that: of control, of the arm.")
    change: float = Field(
        description="-.1: 1 + lift is 10 % less in the later days than in the first ones."
    )
    low: float = Field(description="Lower end of its interval, which holds on all days at once.")
    high: float
    finding: Literal["falls", "rises", "open"]


class ReadingArm(Wire):
    """One arm against control."""

    arm: str
    deciding: ReadingMetric = Field(
        description="What one shopper did counts up to a quantile: a bot is no trend."
    )
    others: list[ReadingMetric]
    guard_rails: list[ReadingGuardRail]
    by_day: list[ReadingDay] = Field(
        max_length=90, description="The interval holds on all days at once. Long ones are thinned."
    )
    lasting: ReadingLasting | None = Field(
        description="null: too early, or too few shoppers. Its lifts are among `others`, as the "
        'segments "first 7 days" and "later days".'
    )
    verdict: ReadingVerdict


class ReadingPreference(Wire):
    """Interleaved rankings: whose picks shoppers took."""

    shoppers: int = Field(description="With credit for either.")
    wins: int = Field(description="Shoppers who gave the arm more credit than control.")
    losses: int
    ties: int
    share: float = Field(description="Of the credit that went to the arm; .5 is no preference.")
    low: float
    high: float
    p_value: float


class ReadingOut(Wire):
    """An experiment as the job read it last."""

    experiment: str
    bucket_version: int = Field(0, description="Of the shoppers who were read.")
    control: str = Field(description="The arm that the others are compared with.")
    read_at: datetime
    took_s: float = Field(description="Seconds that the reading took.")
    verdict: ReadingVerdict
    sample_ratio: ReadingRatio | None = Field(description="null: it could not be read.")
    in_two_arms: int = Field(description="Shoppers who met several arms; they are left out.")
    arms: list[ReadingArm] = Field(description="None where the sample ratio forbids to read on.")
    interleaving: ReadingPreference | None
    alpha: float | None = Field(description=".05: the intervals hold with 95 %.")
    looks: Literal["daily", "once"] | None = Field(description="How often it may be looked at.")
