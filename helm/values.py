"""What values.yaml may hold, as models: helm/values_schema.py makes the schema of them.

What the code defines (its settings, the merchandiser's rules) comes from the code's own models.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from serving.http.auth import ApiKey
from serving.shops.rules import Rules


def _text(pattern: str, longest: int = 253) -> Any:
    return StringConstraints(pattern=pattern, max_length=longest)


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_PREFIXED = rf"^({_DOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"

Name = Annotated[str, _text(rf"^{_DOMAIN}$")]
OptionalName = Annotated[str, _text(rf"^({_DOMAIN})?$")]
Host = Annotated[str, _text(rf"^(\*\.)?{_DOMAIN}$")]
Quantity = Annotated[str, _text(r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", 20)]
Url = Annotated[str, _text(r"^https?://[^\s/]+(/\S*)?$", 500)]
OptionalUrl = Annotated[str, _text(r"^(https?://[^\s/]+(/\S*)?)?$", 500)]
Cron = Annotated[str, _text(r"^(@(hourly|daily|weekly|monthly)|\S+( \S+){4})$", 100)]
Duration = Annotated[str, _text(r"^[1-9][0-9]*(ms|s|m|h)$", 20)]
DataName = Annotated[str, _text(r"^[\w./-]*$")]
LabelKey = Annotated[str, _text(_PREFIXED)]
LabelValue = Annotated[str, _text(r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", 63)]
Labels = dict[LabelKey, LabelValue]
Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=1_000)]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]


class Values(BaseModel):
    """A part of values.yaml: closed, and whole once Helm has merged the defaults in."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Image(Values):
    repository: Annotated[str, _text(r"^[a-z0-9]+([._/:-]+[a-z0-9]+)*$")]
    tag: Annotated[str, _text(r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$", 128)]
    digest: Annotated[str, _text(r"^(sha256:[0-9a-f]{64})?$")]


class Images(Values):
    registry: Annotated[str, _text(r"^([A-Za-z0-9][A-Za-z0-9.:/-]*[A-Za-z0-9])?$")]
    pull_policy: Literal["Always", "IfNotPresent", "Never"]
    pull_secrets: list[Name]
    serving: Image
    model_server: Image
    training: Image
    redis: Image
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
    max_memory: Annotated[str, _text(r"^[1-9][0-9]*(kb|mb|gb)$", 20)]
    storage_class: OptionalName
    size: Quantity


class ExternalRedis(Values):
    host: OptionalName
    port: Port
    username: Annotated[str, _text(r"^[\w.-]*$", 100)]
    tls: bool
    ca_secret: OptionalName


class RedisAuth(Values):
    enabled: bool
    existing_secret: OptionalName


class Redis(Values):
    bundled: BundledRedis
    external: ExternalRedis
    auth: RedisAuth


class Rollout(Values):
    max_surge: Count
    max_unavailable: Count


class Gpu(Values):
    enabled: bool
    resource: Annotated[str, _text(rf"^{_DOMAIN}/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
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
    gpu: Gpu
    autoscaling: ModelAutoscaling


class Ingest(Placed):
    settings: dict[str, Any]  # of IngestSettings; see `schema`


class Setup(Sized):
    ttl_seconds_after_finished: Positive


class Demo(Values):
    data: DataName
    items: Positive


class Neighbors(Sized):
    enabled: bool
    schedule: Cron


class Training(Placed):
    enabled: bool
    schedule: Cron
    data: DataName
    deadline_seconds: Positive


class Ingress(Values):
    enabled: bool
    class_name: OptionalName
    host: Host
    tls_secret: OptionalName
    annotations: dict[LabelKey, str]


class Gateway(Values):
    name: OptionalName
    namespace: OptionalName
    section_name: OptionalName


class HttpRoute(Values):
    enabled: bool
    gateway: Gateway
    hostnames: list[Host]


class Requirement(Values):
    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[LabelValue] | None = None


class Selector(Values):
    match_labels: Labels | None = None
    match_expressions: list[Requirement] | None = None


class IpBlock(Values):
    cidr: Annotated[str, _text(r"^[0-9a-fA-F.:]+/[0-9]+$")]
    # `except` is a word of Python's.
    excepted: Annotated[list[str] | None, Field(alias="except")] = None


class Peer(Values):
    namespace_selector: Selector | None = None
    pod_selector: Selector | None = None
    ip_block: IpBlock | None = None


class Policies(Values):
    enabled: bool
    clients: list[Peer]
    monitoring: list[Peer]
    operator: list[Peer]


class PodMonitors(Values):
    enabled: bool
    interval: Duration


class Alerts(Values):
    enabled: bool


class Dashboards(Values):
    enabled: bool
    label: LabelKey


class Monitoring(Values):
    pod_monitors: PodMonitors
    alerts: Alerts
    dashboards: Dashboards
    labels: Labels


class Collector(Sized):
    export_to: OptionalUrl


class Tracing(Values):
    enabled: bool
    ratio: Share
    endpoint: OptionalUrl
    collector: Collector


class LoadTest(Sized):
    enabled: bool
    workers: Count
    key_secret: OptionalName


class Chart(Values):
    """All of values.yaml."""

    fullname_override: Annotated[str, _text(r"^([a-z]([-a-z0-9]*[a-z0-9])?)?$", 40)]
    images: Images
    serving: Serving
    auth: Auth
    pseudonyms: Pseudonyms
    rules: Rules
    shared_volume: SharedVolume
    redis: Redis
    model_server: ModelServer
    ingest: Ingest
    setup: Setup
    demo: Demo
    neighbors: Neighbors
    training: Training
    ingress: Ingress
    http_route: HttpRoute
    network_policy: Policies
    monitoring: Monitoring
    tracing: Tracing
    loadtest: LoadTest
    global_: Annotated[dict[str, Any] | None, Field(alias="global")] = None  # an umbrella chart's
