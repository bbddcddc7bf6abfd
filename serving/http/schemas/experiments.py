"""Experiments on the wire: as they are declared, what was decided, what they do."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from serving.http.schemas.wire import Wire
from serving.shops.experiments import Kind, RequestKind, Status
from serving.shops.steering.decision import Action, By


class ArmOut(Wire):
    """One arm."""

    key: str
    weight: float
    share: float = Field(
        description="Of all shoppers (shadow: requests) that targeting means; interleaved: of both."
    )
    model_version: str | None = Field(description="null: the version in use.")
    rules: dict[str, Any] = Field(description="The sections of the shop's rules that differ.")


class TargetingOut(Wire):
    """Whose requests are meant; an empty list means all."""

    locales: list[str]
    pages: list[str]
    requests: list[RequestKind]
    shoppers: str | None
    shops: list[str]
    placements: list[str]


class NamespaceOut(Wire):
    """A line that several experiments share out."""

    id: str
    range: list[float] = Field(description="From, and up to but without.")


class GuardOut(Wire):
    """When an arm is stopped by itself."""

    fallback: float
    model_time: float
    not_loaded: float
    after: int


class PromotionOut(Wire):
    """When an arm is promoted by itself."""

    when: str
    after_days: float | None


class GateOut(Wire):
    """What a shadow must show."""

    compared: int
    failed: float
    overlap: float


class RoundOut(Wire):
    """What did not pass a gate."""

    at: str
    failed: float
    overlap: float


class ShownOut(Wire):
    """What a shadow has shown for its gate."""

    version: str
    compared: int
    failed: int
    overlap: float | None = Field(description="Mean of what was compared.")
    rounds: int = Field(description="How often it began anew, because it had not passed.")
    last: RoundOut | None
    passed_at: str | None


class DecisionIn(Wire):
    """What is to stand for an experiment from now on."""

    action: Action = Field(
        description="stop: nobody is drawn, and a promotion is rolled back. promote: all who are "
        "meant are ranked as one arm says. resume: as declared."
    )
    arm: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="Of promote."
    )
    why: Annotated[str, StringConstraints(max_length=200)] = ""


class DecisionOut(Wire):
    """What stands for an experiment, beside the rules."""

    action: Action
    arm: str | None
    why: str
    by: By
    at: str
    version: str | None = Field(description="Of a promoted shadow: the version of then.")


class ByApiOut(Wire):
    """Who declared an experiment by API, and when last."""

    by: By
    at: str


class ModelTimeOut(Wire):
    """Of the calls to the model server, milliseconds; p50 and p99 by buckets."""

    mean: float | None
    p50: float | None
    p99: float | None


class RankedOut(Wire):
    """What an arm did."""

    rankings: int
    fallbacks: int
    version_not_loaded: int = Field(description="Made by the version in use instead.")
    model_ms: ModelTimeOut


class ComparedOut(Wire):
    """What a shadow did. failed: of the candidate's rankings."""

    compared: int
    failed: int
    outcomes: dict[str, int] = Field(description="As of `vitrine_shadow_rankings_total`.")
    overlap: float | None = Field(description="Mean of what was compared.")


class MinutesOut(Wire):
    """What all replicas did, by arm."""

    arms: dict[str, RankedOut] = Field(description="Of shoppers who were drawn.")
    promoted: dict[str, RankedOut] = Field(description="Of all who are ranked by a promoted arm.")
    shadow: ComparedOut | None = Field(description="null: it is none.")


class LiveOut(Wire):
    """The minute that runs and those before it; replicas tell theirs every two seconds."""

    last_5_minutes: MinutesOut
    last_60_minutes: MinutesOut


class ExperimentOut(Wire):
    """What is declared, how many of the shoppers it is for, what was decided, what it does."""

    key: str
    kind: Kind
    status: Status
    seed: str
    coverage: float
    bucket_version: int
    min_bucket_version: int
    arms: list[ArmOut]
    targeting: TargetingOut
    namespace: NamespaceOut | None
    guard: GuardOut | None
    promote: PromotionOut | None
    gate: GateOut | None
    after: str | None = Field(description="The shadow whose gate it waits for.")
    by_api: ByApiOut | None = Field(description="null: the rules declare it.")
    active: bool = Field(
        description="Whether it draws, or compares, now. Not where one of its arms cannot be "
        "ranked by upon what is promoted."
    )
    decision: DecisionOut | None = Field(description="null: as declared.")
    shown: ShownOut | None = Field(description="null: no gate, nothing yet, or the store is away.")
    live: LiveOut | None = Field(description="null: the store does not answer.")
    read_at: datetime | None = Field(
        description="Of the newest reading; null before the first, or the store is away."
    )


class CandidateOut(Wire):
    """A version of the ranker beside the one in use."""

    version: str
    loaded: bool | None = Field(
        description="false: the model server has none such, and the version in use answers for it. "
        "null: nothing answers."
    )
    experiments: list[str] = Field(description="That run and name it.")
    placements: list[str] = Field(description="That are ranked by it.")


class VersionsOut(Wire):
    """Versions of the ranker."""

    in_use: str | None = Field(description="null: none has answered yet.")
    candidates: list[CandidateOut]


class LeftOut(Wire):
    """What was declared by API and is not in force."""

    key: str
    why: str


class ExperimentsOut(Wire):
    """All of a shop's."""

    experiments: list[ExperimentOut]
    left_out: list[LeftOut] = Field(
        description="Declared by API, and no longer fit to stand beside the rules: they were "
        "changed, or another release wrote it."
    )
    holdout: float = Field(description="Share of the shoppers who are in none of them.")
