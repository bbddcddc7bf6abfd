"""Experiments on the wire, as they are declared in the rules."""

from datetime import datetime
from typing import Any

from pydantic import Field

from serving.http.schemas.wire import Wire
from serving.shops.experiments import Kind, RequestKind, Status


class ArmOut(Wire):
    """One arm."""

    key: str
    weight: float
    share: float = Field(description="Of all shoppers (shadow: requests) that targeting means.")
    model_version: str | None = Field(description="null: the version in use.")
    rules: dict[str, Any] = Field(description="The sections of the shop's rules that differ.")


class TargetingOut(Wire):
    """Whose requests are meant; an empty list means all."""

    locales: list[str]
    pages: list[str]
    requests: list[RequestKind]
    shoppers: str | None
    shops: list[str]


class NamespaceOut(Wire):
    """A line that several experiments share out."""

    id: str
    range: list[float] = Field(description="From, and up to but without.")


class ExperimentOut(Wire):
    """What is declared, and how many of the shoppers it is for."""

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
    read_at: datetime | None = Field(description="Of the newest reading; null before the first.")


class CandidateOut(Wire):
    """A version of the ranker beside the one in use."""

    version: str
    loaded: bool | None = Field(
        description="false: the model server has none such, and the version in use answers for it. "
        "null: nothing answers."
    )
    experiments: list[str] = Field(description="That run and name it.")


class VersionsOut(Wire):
    """Versions of the ranker."""

    in_use: str | None = Field(description="null: none has answered yet.")
    candidates: list[CandidateOut]


class ExperimentsOut(Wire):
    """All of a shop's."""

    experiments: list[ExperimentOut]
    holdout: float = Field(description="Share of the shoppers who are in none of them.")
