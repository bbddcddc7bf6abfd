"""Experiments on the wire, as they are declared in the rules."""

from typing import Any

from pydantic import Field

from serving.http.schemas.wire import Wire
from serving.shops.experiments import Kind, RequestKind, Status


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


class ExperimentsOut(Wire):
    """All of a shop's."""

    experiments: list[ExperimentOut]
    holdout: float = Field(description="Share of the shoppers who are in none of them.")
