"""How the installation is reached and watched."""

from typing import Annotated, Literal

from pydantic import Field

from helm.values.parts import Sized, Values
from helm.values.types import (
    Duration,
    Host,
    LabelKey,
    Labels,
    LabelValue,
    OptionalName,
    OptionalUrl,
    Port,
    Share,
    text,
)


class Service(Values):
    type: Literal["ClusterIP", "NodePort", "LoadBalancer"]
    annotations: dict[LabelKey, str]


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
    cidr: Annotated[str, text(r"^[0-9a-fA-F.:]+/[0-9]+$")]
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
    api_ports: Annotated[list[Port], Field(min_length=1)]
    dns_ports: Annotated[list[Port], Field(min_length=1)]


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
