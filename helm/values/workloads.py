"""What runs: how many, how large, with what settings and stores."""

from typing import Annotated, Any, Literal

from pydantic import Field

from helm.values.parts import Placed, Resources, Sized, Values
from helm.values.types import (
    DOMAIN,
    Count,
    Cron,
    DataName,
    OptionalName,
    Port,
    Positive,
    Quantity,
    Url,
    text,
)
from serving.http.access.auth import ApiKey
from serving.pictures.settings import PictureSettings


class Incremental(Values):
    gateway_class_name: OptionalName
    step_size_percent: Annotated[int, Field(ge=1, le=100)]
    interval_seconds: Positive
    max_surge_percent: Annotated[int, Field(ge=0, le=100)]


class Upgrade(Values):
    strategy: Literal["NewCluster", "None", "NewClusterWithIncrementalUpgrade"]
    incremental: Incremental


class Autoscaler(Sized):
    idle_timeout_seconds: Positive


class Workers(Placed):
    min_replicas: Annotated[int, Field(ge=1, le=1_000)]
    max_replicas: Annotated[int, Field(ge=1, le=1_000)]


class Serving(Values):
    settings: dict[str, Any]  # of Settings; see `schema`
    upgrade: Upgrade
    head: Placed
    autoscaler: Autoscaler
    workers: Workers
    node_metrics: Sized


class Auth(Values):
    existing_secret: OptionalName
    keys: list[ApiKey]


class Pseudonyms(Values):
    existing_secret: OptionalName


class SharedVolume(Values):
    existing_claim: OptionalName
    access_modes: Annotated[
        list[Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]], Field(min_length=1)
    ]
    storage_class: OptionalName
    size: Quantity


class BundledRedis(Sized):
    enabled: bool
    max_memory: Annotated[str, text(r"^[1-9][0-9]*(kb|mb|gb)$", 20)]
    storage_class: OptionalName
    size: Quantity


class ExternalRedis(Values):
    host: OptionalName
    port: Port
    username: Annotated[str, text(r"^[\w.-]*$", 100)]
    tls: bool
    ca_secret: OptionalName


class RedisAuth(Values):
    enabled: bool
    existing_secret: OptionalName


class Redis(Values):
    log_max_bytes: Annotated[int, Field(ge=0)]
    bundled: BundledRedis
    head: BundledRedis
    external: ExternalRedis
    auth: RedisAuth


class BundledNats(Sized):
    enabled: bool
    replicas: Literal[1, 3]
    storage_class: OptionalName
    size: Quantity


class ExternalNats(Values):
    servers: list[Annotated[str, text(r"^(nats|tls)://[\w.-]+(:[0-9]{1,5})?$")]]
    replicas: Annotated[int, Field(ge=1, le=5)]
    username: Annotated[str, text(r"^[\w.-]*$", 100)]
    ca_secret: OptionalName


class NatsAuth(Values):
    enabled: bool
    existing_secret: OptionalName


class Nats(Values):
    enabled: bool
    events_max_bytes: Quantity
    rankings_max_bytes: Quantity
    bundled: BundledNats
    external: ExternalNats
    auth: NatsAuth


class Archive(Values):
    url: Annotated[str, text(r"^([a-z0-9]+://[^\s@]+)?$", 500)]  # no key in it: it is no secret
    existing_secret: OptionalName
    port: Port


class Webhooks(Values):
    hosts: list[Annotated[str, text(rf"^{DOMAIN}$")]]
    existing_secret: OptionalName
    private_addresses: bool
    port: Port


class Rollout(Values):
    max_surge: Count
    max_unavailable: Count


class Gpu(Values):
    enabled: bool
    resource: Annotated[str, text(rf"^{DOMAIN}/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    count: Annotated[int, Field(ge=1, le=16)]


class ModelAutoscaling(Values):
    kind: Literal["none", "keda", "hpa"]
    min_replicas: Annotated[int, Field(ge=1, le=1_000)]
    max_replicas: Annotated[int, Field(ge=1, le=1_000)]
    queued_rows: Positive
    busy_share: Annotated[float, Field(gt=0, le=1)]
    prometheus_address: Url
    scale_down_seconds: Annotated[int, Field(ge=0, le=3600)]


class ModelServer(Placed):
    replicas: Count
    rollout: Rollout
    threads: Annotated[int, Field(ge=1, le=256)]
    precision: Literal["int8", "float16"]
    encoder: Literal["english", "multilingual"]
    gpu: Gpu
    autoscaling: ModelAutoscaling


class Ingest(Placed):
    settings: dict[str, Any]  # of IngestSettings; see `schema`


class Pictures(Placed):
    enabled: bool
    settings: PictureSettings
    replicas: Count
    ports: Annotated[list[Port], Field(min_length=1)]
    text_resources: Resources


class Setup(Sized):
    ttl_seconds_after_finished: Positive


class Demo(Values):
    data: DataName
    items: Positive


class Neighbors(Sized):
    enabled: bool
    schedule: Cron


class Readings(Sized):
    enabled: bool
    schedule: Cron


class Experiments(Values):
    readings: Readings


class Publish(Sized):
    bundle: DataName


class TrainingOfAnswers(Sized):
    enabled: bool
    schedule: Cron


class Training(Placed):
    enabled: bool
    schedule: Cron
    data: DataName
    slates: Positive
    steps: Positive
    release: Literal["use", "candidate"]
    deadline_seconds: Positive
    answers: TrainingOfAnswers


class LoadTest(Sized):
    enabled: bool
    workers: Count
    key_secret: OptionalName
