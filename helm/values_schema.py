"""Write values.schema.json: `python -m helm.values_schema`.

Every object is closed, so that Helm refuses a misspelt key and names it. What the code defines (its
settings, the merchandiser's rules) comes from the code's own models.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from features.ingest import IngestSettings
from serving.auth import ApiKey
from serving.rules import Rules
from serving.settings import Settings

TARGET = Path(__file__).parent / "values.schema.json"
# What the chart sets itself: where things lie and how its parts find each other.
CHARTS_OWN = {
    "Settings": ("store", "rules_path"),
    "AccessSettings": ("keys_path", "pseudonym_key_path"),
    "ModelSettings": ("grpc_address", "tls", "tokenizer_path"),
    "RetrievalSettings": ("vectors_path", "neighbors_path"),
    "LogSettings": ("folder",),
    "IngestSettings": ("store", "dataset_folders"),
}


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


def schema() -> dict[str, Any]:
    """The JSON schema of values.yaml."""
    whole = _plain(Chart.model_json_schema())
    definitions = whole["$defs"]
    for place, model in (("Serving", Settings), ("Ingest", IngestSettings)):
        parts = _plain(model.model_json_schema())
        name = model.__name__
        for part, found in {name: parts, **parts.pop("$defs")}.items():
            assert part not in definitions or part in ("RedisSettings", "StoreSettings"), part
            definitions[part] = _partial(found, CHARTS_OWN.get(part, ()))
        definitions[place]["properties"]["settings"] = {"$ref": f"#/$defs/{name}"}
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return _used(whole)


def _plain(node: Any) -> Any:
    """Without what says nothing to who mistypes: titles and defaults (those are values.yaml's)."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node:
        node["properties"] = {name: _plain(each) for name, each in node["properties"].items()}
    dropped = ("title", "default", "format", "description")
    return {
        name: each if name == "properties" else _plain(each)
        for name, each in node.items()
        if name not in dropped
    }


def _partial(definition: dict[str, Any], without: tuple[str, ...]) -> dict[str, Any]:
    """A settings object of which a part is given."""
    if "properties" not in definition:
        return definition
    kept = {name: to for name, to in definition["properties"].items() if name not in without}
    return {**definition, "properties": kept} | {"required": []}


def _used(whole: dict[str, Any]) -> dict[str, Any]:
    """Only the definitions that something refers to."""
    found: set[str] = set()
    queue = [{name: each for name, each in whole.items() if name != "$defs"}]
    while queue:
        text = json.dumps(queue.pop())
        for name, definition in whole["$defs"].items():
            if name not in found and f'"#/$defs/{name}"' in text:
                found.add(name)
                queue.append(definition)
    kept = {name: each for name, each in sorted(whole["$defs"].items()) if name in found}
    return {**whole, "$defs": kept}


def rendered() -> str:
    """The content of values.schema.json."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(rendered())
