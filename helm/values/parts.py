"""What several parts of values.yaml are made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from helm.values.types import LabelKey, Labels, LabelValue, Name, Quantity, text


class Values(BaseModel):
    """A part of values.yaml: closed, and whole once Helm has merged the defaults in."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Image(Values):
    repository: Annotated[str, text(r"^[a-z0-9]+([._/:-]+[a-z0-9]+)*$")]
    tag: Annotated[str, text(r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$", 128)]
    digest: Annotated[str, text(r"^(sha256:[0-9a-f]{64})?$")]


class Images(Values):
    registry: Annotated[str, text(r"^([A-Za-z0-9][A-Za-z0-9.:/-]*[A-Za-z0-9])?$")]
    pull_policy: Literal["Always", "IfNotPresent", "Never"]
    pull_secrets: list[Name]
    serving: Image
    model_server: Image
    training: Image
    redis: Image
    nats: Image
    collector: Image


class Amounts(Values):
    cpu: Quantity
    memory: Quantity


class Resources(Values):
    requests: Amounts
    limits: Amounts


class Toleration(Values):
    key: LabelKey | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


class Sized(Values):
    resources: Resources


class Placed(Sized):
    node_selector: Labels
    tolerations: list[Toleration]
