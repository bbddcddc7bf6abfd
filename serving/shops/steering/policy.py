"""What an experiment declares of how it ends by itself (docs/experiments.md)."""

from typing import Literal

from pydantic import Field

from serving.shops.rule import Rule


class Guard(Rule):
    """When an arm is stopped, or a promoted one rolled back, without asking anybody."""

    fallback: float = Field(
        0.05, gt=0, lt=1, description="How far an arm's share of fallbacks may be above control's."
    )
    model_time: float = Field(
        1.5, gt=1, description="How many times control's time an arm's model may take."
    )
    not_loaded: float = Field(
        0.1, gt=0, le=1, description="Share of an arm's rankings that another version may make."
    )
    after: int = Field(200, ge=20, description="Rankings of the arm before it is judged.")


class Gate(Rule):
    """What a shadow must show before its version may be tried on shoppers."""

    compared: int = Field(1_000, ge=20, description="Requests that both versions ranked.")
    failed: float = Field(
        0.01, ge=0, lt=1, description="Share of the candidate's rankings that may fail."
    )
    overlap: float = Field(
        0.3, ge=0, le=1, description="Mean rank-biased overlap with what was answered, at least."
    )


class Promotion(Rule):
    """When an arm is promoted without asking anybody: by the published reading."""

    when: Literal["better"] = "better"
    after_days: float = Field(ge=1, le=365, description="Since the experiment began to draw.")
